//! API clients: programs that act for an account with a key, within their scopes.

use std::{fmt, str::FromStr};

use serde::Serialize;

use super::{ApiClientId, KeysetPosition, Role, SortKey, Timestamp, UnknownValue, UserId, text_enum::text_enum};

text_enum! {
    /// What a key permits.
    ApiScope {
        /// Reading the resources of the account.
        Read "read"
        /// Changing the resources of the account.
        Write "write"
        /// The operations of administrators, if the account is one.
        Admin "admin"
    }
}

/// The scopes of an API client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ApiScopes {
    read: bool,
    write: bool,
    admin: bool,
}

impl ApiScopes {
    /// Returns whether the scopes include this one. No scope implies another.
    #[must_use]
    pub const fn contains(self, scope: ApiScope) -> bool {
        match scope {
            ApiScope::Read => self.read,
            ApiScope::Write => self.write,
            ApiScope::Admin => self.admin,
        }
    }

    /// Lists the scopes, in the order of [`ApiScope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = ApiScope> {
        ApiScope::ALL.iter().copied().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<ApiScope> for ApiScopes {
    fn from_iter<I: IntoIterator<Item = ApiScope>>(scopes: I) -> Self {
        let mut all = Self::default();
        for scope in scopes {
            match scope {
                ApiScope::Read => all.read = true,
                ApiScope::Write => all.write = true,
                ApiScope::Admin => all.admin = true,
            }
        }
        all
    }
}

/// Words separated by spaces, as in the parameter `scope` of OAuth 2.0.
impl fmt::Display for ApiScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{scope}")?;
        }
        Ok(())
    }
}

impl FromStr for ApiScopes {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        text.split_whitespace().map(str::parse).collect()
    }
}

impl TryFrom<String> for ApiScopes {
    type Error = UnknownValue;

    fn try_from(text: String) -> Result<Self, UnknownValue> {
        text.parse()
    }
}

/// A program that acts for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiClient {
    pub id: ApiClientId,
    pub name: String,
    /// Address for notices about operations that the client uses.
    pub contact_email: String,
    /// The account that the client acts for.
    pub user_id: UserId,
    pub scopes: ApiScopes,
    /// Requests per minute; `None` for the general rate limit.
    pub rate_limit: Option<i32>,
    /// The public part of the newest key.
    pub key_prefix: String,
    pub expires_at: Option<Timestamp>,
    /// When a key was last used; a use within a minute of the last one of the same key is not recorded.
    pub last_used_at: Option<Timestamp>,
    /// When the replaced keys cease to be valid.
    pub previous_valid_until: Option<Timestamp>,
    /// Whether the contact gets email notices about deprecated operations that the client calls.
    pub deprecation_notices_enabled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ApiClient {
    /// Returns the client without the end of the validity of its replaced keys, if it has passed.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self { previous_valid_until: self.previous_valid_until.filter(|until| *until > now), ..self }
    }

    /// Returns the position of this client in a list with this sort key.
    #[must_use]
    pub fn position(&self, sort: SortKey) -> KeysetPosition {
        sort.position(self.id.get(), self.created_at, self.updated_at, &self.name)
    }
}

/// An API client to insert.
#[derive(Clone, Debug)]
pub struct NewApiClient {
    pub name: String,
    pub contact_email: String,
    pub user_id: UserId,
    pub scopes: ApiScopes,
    pub rate_limit: Option<i32>,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// Changes to an API client; `None` keeps a value.
#[derive(Clone, Debug, Default)]
pub struct ApiClientChanges {
    pub name: Option<String>,
    pub contact_email: Option<String>,
    pub scopes: Option<ApiScopes>,
    pub rate_limit: Option<Option<i32>>,
    pub expires_at: Option<Option<Timestamp>>,
    pub deprecation_notices_enabled: Option<bool>,
}

impl ApiClientChanges {
    /// Applies the changes.
    #[must_use]
    pub fn apply(self, before: &ApiClient) -> ApiClient {
        let before = before.clone();
        ApiClient {
            name: self.name.unwrap_or(before.name),
            contact_email: self.contact_email.unwrap_or(before.contact_email),
            scopes: self.scopes.unwrap_or(before.scopes),
            rate_limit: self.rate_limit.unwrap_or(before.rate_limit),
            expires_at: self.expires_at.unwrap_or(before.expires_at),
            deprecation_notices_enabled: self.deprecation_notices_enabled.unwrap_or(before.deprecation_notices_enabled),
            ..before
        }
    }
}

/// A stored key, its API client and the account that the client acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyStatus {
    /// SHA-256 of the key.
    pub digest: Vec<u8>,
    /// When the key ceases to be valid, if it was replaced.
    pub key_expires_at: Option<Timestamp>,
    /// When the key was last used; a use within a minute of the last one is not recorded.
    pub key_last_used_at: Option<Timestamp>,
    pub client: ApiClient,
    pub role: Role,
    /// Whether the account is disabled.
    pub disabled: bool,
    /// Number of changes to the resources of the account.
    pub revision: i64,
    /// Whether a server that shares Redis may cache this status.
    pub is_cacheable: bool,
}

impl ApiKeyStatus {
    /// Returns whether the key, the client and the account are active.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        let is_expired = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        !self.disabled && !is_expired(self.key_expires_at) && !is_expired(self.client.expires_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set_of_words() {
        let scopes: ApiScopes = " write  read write".parse().unwrap();
        assert_eq!(scopes.to_string(), "read write");
        assert!(scopes.contains(ApiScope::Read) && !scopes.contains(ApiScope::Admin));
        assert_eq!("".parse::<ApiScopes>().unwrap(), ApiScopes::default());
        assert_eq!("read all".parse::<ApiScopes>().unwrap_err().to_string(), "unknown ApiScope `all`");
    }
}
