//! Consumers: the API clients, accounts and user agents that requests are counted for.

use std::{fmt, str::FromStr, sync::Arc};

use crate::domain::{ApiClientId, UserId, text_enum::text_enum};

text_enum! {
    /// The kind of a consumer.
    #[derive(PartialOrd, Ord)]
    ConsumerKind {
        /// A registered API client.
        ApiClient "api_client"
        /// An account.
        User "user"
        /// Clients without valid credentials, by their user agent.
        Anonymous "anonymous"
    }
}

/// An API client, an account or a user agent that requests are counted for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Consumer {
    ApiClient(ApiClientId),
    User(UserId),
    /// Clients without valid credentials that send this `User-Agent`.
    Anonymous(Arc<str>),
}

/// A consumer with the name that people know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedConsumer {
    pub consumer: Consumer,
    /// Name of the API client, email address of the account, or user agent. `None` if the client or the account was deleted.
    pub name: Option<String>,
    /// Email address for notices: the contact of the API client, or the address of the account.
    pub contact_email: Option<String>,
}

/// Selects consumers: all of a kind, or one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerFilter {
    Kind(ConsumerKind),
    /// API clients and accounts.
    Named,
    One(Consumer),
}

/// Text that identifies no consumer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a consumer; use api_client:ID, user:ID or anonymous:USER-AGENT")]
pub struct InvalidConsumer(String);

impl Consumer {
    /// User agent of requests without one.
    pub const NO_USER_AGENT: &'static str = "none";
    /// User agent of the requests that are not counted by theirs, because there are too many different ones.
    pub const OTHER_USER_AGENTS: &'static str = "other";

    #[must_use]
    pub const fn kind(&self) -> ConsumerKind {
        match self {
            Self::ApiClient(_) => ConsumerKind::ApiClient,
            Self::User(_) => ConsumerKind::User,
            Self::Anonymous(_) => ConsumerKind::Anonymous,
        }
    }

    /// Returns the ID of the API client or of the account.
    #[must_use]
    pub const fn id(&self) -> Option<i64> {
        match self {
            Self::ApiClient(id) => Some(id.get()),
            Self::User(id) => Some(id.get()),
            Self::Anonymous(_) => None,
        }
    }

    /// Returns the user agent of anonymous clients.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        match self {
            Self::Anonymous(user_agent) => Some(user_agent),
            Self::ApiClient(_) | Self::User(_) => None,
        }
    }

    /// Creates a consumer from its stored parts.
    #[must_use]
    pub fn from_parts(kind: ConsumerKind, id: i64, user_agent: &str) -> Self {
        match kind {
            ConsumerKind::ApiClient => Self::ApiClient(ApiClientId::new(id)),
            ConsumerKind::User => Self::User(UserId::new(id)),
            ConsumerKind::Anonymous => Self::Anonymous(user_agent.into()),
        }
    }
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiClient(id) => write!(f, "api_client:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Anonymous(user_agent) => write!(f, "anonymous:{user_agent}"),
        }
    }
}

impl fmt::Display for NamedConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.consumer, &self.name) {
            (Consumer::Anonymous(_), _) => self.consumer.fmt(f),
            (_, None) => write!(f, "{} (deleted)", self.consumer),
            (_, Some(name)) => f.write_str(name),
        }
    }
}

impl FromStr for ConsumerFilter {
    type Err = InvalidConsumer;

    fn from_str(text: &str) -> Result<Self, InvalidConsumer> {
        let invalid = || InvalidConsumer(text.to_owned());
        let (kind, rest) = text.split_once(':').map_or((text, None), |(kind, rest)| (kind, Some(rest)));
        let kind: ConsumerKind = kind.parse().map_err(|_| invalid())?;
        let Some(rest) = rest else { return Ok(Self::Kind(kind)) };
        if kind == ConsumerKind::Anonymous {
            return Ok(Self::One(Consumer::Anonymous(rest.into())));
        }
        let id = rest.parse().ok().filter(|id| *id > 0).ok_or_else(invalid)?;
        Ok(Self::One(Consumer::from_parts(kind, id, "")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumer_parses_as_it_is_displayed() {
        for text in ["api_client:3", "user:7", "anonymous:curl/8.5", "anonymous:a:b", "anonymous:"] {
            let ConsumerFilter::One(consumer) = text.parse().unwrap() else { panic!("{text} is a kind") };
            assert_eq!(consumer.to_string(), text);
        }
        assert_eq!("user".parse(), Ok(ConsumerFilter::Kind(ConsumerKind::User)));
        for text in ["", "robot", "user:", "user:0", "user:-1", "user:x", "api_client:99999999999999999999"] {
            assert_eq!(text.parse::<ConsumerFilter>(), Err(InvalidConsumer(text.to_owned())));
        }
    }
}
