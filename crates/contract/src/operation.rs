//! Declarations of an operation beyond the attributes of poem-openapi.

mod deprecation;

use std::time::Duration;

use poem_openapi::param::{Path, Query};

use self::deprecation::date;
pub use self::deprecation::{Day, Deprecation};
use crate::{Admin, AdminSession, ErrorCode, Json, User, UserSession, payload::MergePatch};

/// The declaration of one operation: its route, what its arguments imply, and the calls in `#[operation(…)]`.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Operation ID.
    pub id: &'static str,
    /// HTTP method in upper case.
    pub method: &'static str,
    /// Path template below the base path of the version: `/bucketlists/{bucketlist_id}`.
    pub path: &'static str,
    /// Description of the successful response.
    pub response: &'static str,
    /// The callers that may use the operation, derived from its arguments.
    pub access: Access,
    /// Whether the operation is declared as public. The linter compares this with [`Operation::access`].
    pub is_public: bool,
    /// Errors of this operation, in addition to those that every operation of its kind can return.
    pub errors: &'static [ErrorCode],
    /// Errors that its arguments imply but that this operation does not return.
    pub excluded_errors: &'static [ErrorCode],
    /// Rate limit in addition to the general one.
    pub limit: OperationLimit,
    /// Deprecation dates and successor.
    pub deprecation: Option<Deprecation>,
    /// Whether responses may be cached on the server until the caller's data changes.
    pub is_cached: bool,
    /// Whether the operation takes `If-Match`.
    pub is_conditional: bool,
    /// Whether the operation takes `Idempotency-Key`.
    pub is_idempotent: bool,
    /// Whether the operation takes `If-None-Match`.
    pub takes_if_none_match: bool,
    /// Whether the operation takes a cursor.
    pub takes_cursor: bool,
    /// Whether a successful response contains tokens.
    pub carries_tokens: bool,
    /// JSON pointer to a new password in the request body.
    pub new_password: Option<&'static str>,
    /// Time for the server's work, if it may be longer than the request timeout.
    pub time_limit: Option<Duration>,
}

/// The callers that may use an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Every client, without a token.
    #[default]
    Anonymous,
    /// Users with an access token, and API clients.
    User,
    /// Administrators, and their API clients.
    Admin,
    /// Users with an access token.
    UserSession,
    /// Administrators with an access token.
    AdminSession,
}

/// What the key of an API client permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Operations that read.
    Read,
    /// Operations that change data.
    Write,
    /// The operations of administrators.
    Admin,
}

impl Scope {
    /// Returns the name of the scope.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl Access {
    /// Returns whether only administrators have this access.
    #[must_use]
    pub const fn is_admin_only(self) -> bool {
        matches!(self, Self::Admin | Self::AdminSession)
    }

    /// Returns whether API clients can have this access.
    #[must_use]
    pub const fn accepts_api_keys(self) -> bool {
        matches!(self, Self::User | Self::Admin)
    }

    /// Returns whether only sessions have this access.
    #[must_use]
    pub const fn requires_session(self) -> bool {
        matches!(self, Self::UserSession | Self::AdminSession)
    }

    /// Returns the scope that an API client needs; `None` if it needs none, or if no scope is sufficient.
    #[must_use]
    pub fn required_scope(self, method: &str) -> Option<Scope> {
        match self {
            Self::Anonymous | Self::UserSession | Self::AdminSession => None,
            Self::Admin => Some(Scope::Admin),
            Self::User if matches!(method, "GET" | "HEAD") => Some(Scope::Read),
            Self::User => Some(Scope::Write),
        }
    }
}

/// The effect of an argument on the declaration of its operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArgumentKind {
    /// Nothing.
    #[default]
    Other,
    /// The operation requires an access token or an API key.
    User,
    /// The operation requires an administrator.
    Admin,
    /// The operation requires an access token.
    UserSession,
    /// The operation requires the access token of an administrator.
    AdminSession,
    /// The operation is conditional.
    IfMatch,
    /// The operation validates `If-None-Match`.
    IfNoneMatch,
    /// The operation takes `Idempotency-Key`.
    IdempotencyKey,
    /// The operation uses cursor pagination.
    Cursor,
}

/// The type of an argument of an operation, or of the value in it.
pub trait Argument {
    /// The effect of the argument.
    const KIND: ArgumentKind = ArgumentKind::Other;
}

impl Argument for User {
    const KIND: ArgumentKind = ArgumentKind::User;
}

impl Argument for Admin {
    const KIND: ArgumentKind = ArgumentKind::Admin;
}

impl Argument for UserSession {
    const KIND: ArgumentKind = ArgumentKind::UserSession;
}

impl Argument for AdminSession {
    const KIND: ArgumentKind = ArgumentKind::AdminSession;
}

impl<T: Argument> Argument for Query<T> {
    const KIND: ArgumentKind = T::KIND;
}

impl<T: Argument> Argument for Option<T> {
    const KIND: ArgumentKind = T::KIND;
}

impl<T> Argument for Vec<T> {}
impl<T> Argument for Path<T> {}
impl<T> Argument for Json<T> {}
impl<T> Argument for MergePatch<T> {}
impl Argument for bool {}
impl Argument for i32 {}

/// A rate limit by name. Its quota is configured on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OperationLimit {
    /// Only the general limit of the caller.
    #[default]
    General,
    /// Creating accounts, per client address.
    Register,
    /// Verifying passwords, per account and client address.
    Login,
    /// Refreshing sessions, per client address.
    Refresh,
    /// Requesting password resets, per account and client address.
    PasswordReset,
    /// Searching, per caller.
    Search,
    /// Creating exports, per caller.
    Exports,
    /// Creating imports, per caller.
    Imports,
}

impl Operation {
    /// Declares an operation.
    #[must_use]
    pub const fn new(id: &'static str, method: &'static str, path: &'static str) -> Self {
        Self {
            id,
            method,
            path,
            response: "",
            access: Access::Anonymous,
            is_public: false,
            errors: &[],
            excluded_errors: &[],
            limit: OperationLimit::General,
            deprecation: None,
            is_cached: false,
            is_conditional: false,
            is_idempotent: false,
            takes_if_none_match: false,
            takes_cursor: false,
            carries_tokens: false,
            new_password: None,
            time_limit: None,
        }
    }

    /// Adds what an argument of the type `A` implies.
    #[must_use]
    pub const fn argument<A: Argument>(mut self) -> Self {
        match A::KIND {
            ArgumentKind::Other => {}
            ArgumentKind::User => self.access = Access::User,
            ArgumentKind::Admin => self.access = Access::Admin,
            ArgumentKind::UserSession => self.access = Access::UserSession,
            ArgumentKind::AdminSession => self.access = Access::AdminSession,
            ArgumentKind::IfMatch => self.is_conditional = true,
            ArgumentKind::IfNoneMatch => self.takes_if_none_match = true,
            ArgumentKind::IdempotencyKey => self.is_idempotent = true,
            ArgumentKind::Cursor => self.takes_cursor = true,
        }
        self
    }

    /// Declares what a successful response contains.
    #[must_use]
    pub const fn returns(mut self, response: &'static str) -> Self {
        self.response = response;
        self
    }

    /// Declares that clients call the operation without a token.
    #[must_use]
    pub const fn public(mut self) -> Self {
        self.is_public = true;
        self
    }

    /// Declares errors of this operation.
    #[must_use]
    pub const fn errors(mut self, errors: &'static [ErrorCode]) -> Self {
        self.errors = errors;
        self
    }

    /// Excludes errors that the arguments imply.
    #[must_use]
    pub const fn excluded_errors(mut self, errors: &'static [ErrorCode]) -> Self {
        self.excluded_errors = errors;
        self
    }

    /// Declares an additional rate limit.
    #[must_use]
    pub const fn limit(mut self, limit: OperationLimit) -> Self {
        self.limit = limit;
        self
    }

    /// Declares deprecation, sunset and successor.
    #[must_use]
    pub const fn deprecated(mut self, since: Day, sunset: Day, successor: &'static str) -> Self {
        self.deprecation = Some(Deprecation { since: date(since), sunset: date(sunset), successor });
        self
    }

    /// Declares that responses depend only on the request and the caller's data, so that they can be cached.
    #[must_use]
    pub const fn cached(mut self) -> Self {
        self.is_cached = true;
        self
    }

    /// Declares that a successful response contains tokens.
    #[must_use]
    pub const fn carries_tokens(mut self) -> Self {
        self.carries_tokens = true;
        self
    }

    /// Declares where the request body contains a new password, as a JSON pointer.
    #[must_use]
    pub const fn new_password(mut self, pointer: &'static str) -> Self {
        self.new_password = Some(pointer);
        self
    }

    /// Declares the number of seconds that the server may work on a request, if it is longer than the request timeout.
    #[must_use]
    pub const fn time_limit(mut self, seconds: u64) -> Self {
        self.time_limit = Some(Duration::from_secs(seconds));
        self
    }

    /// Returns whether only administrators may call the operation.
    #[must_use]
    pub const fn is_admin_only(&self) -> bool {
        self.access.is_admin_only()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_imply_access() {
        let operation = Operation::new("x", "GET", "/x");
        assert_eq!(operation.argument::<Path<i32>>().access, Access::Anonymous);
        assert_eq!(operation.argument::<User>().access, Access::User);
        assert!(operation.argument::<Admin>().argument::<Query<Option<bool>>>().is_admin_only());
    }
}
