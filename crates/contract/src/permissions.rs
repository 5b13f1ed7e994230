//! The operations that a caller may call.
//!
//! They depend on the account and on the credential. The server checks them before it calls an operation, and `_links` contains
//! only operations that the caller may call. Like the base path, the permissions are task-local while a request is processed.

use tokio::task::futures::TaskLocalFuture;

use crate::{
    ApiError, ErrorCode,
    operation::{Access, Operation, Scope},
};

tokio::task_local! {
    static CURRENT: Permissions;
}

/// The permissions of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permissions {
    is_admin: bool,
    /// Scopes of an API client, one bit each; `None` for a session, which needs no scope.
    scopes: Option<u8>,
}

/// What a caller lacks for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Session,
    Scope(Scope),
    Administrator,
}

impl Permissions {
    /// The permissions of the session of an administrator.
    pub const ALL: Self = Self::of_session(true);

    /// Returns the permissions of a session.
    #[must_use]
    pub const fn of_session(is_admin: bool) -> Self {
        Self { is_admin, scopes: None }
    }

    /// Returns the permissions of an API client. `is_admin` is whether its account is an administrator.
    #[must_use]
    pub fn of_api_client(is_admin: bool, scopes: &[Scope]) -> Self {
        Self { is_admin, scopes: Some(scopes.iter().fold(0, |bits, scope| bits | bit(*scope))) }
    }

    /// Returns the permissions of the current request. Outside of a request, for example in an example of the document, they are
    /// [`Self::ALL`].
    #[must_use]
    pub fn current() -> Self {
        CURRENT.try_with(|permissions| *permissions).unwrap_or(Self::ALL)
    }

    /// Runs a future with these permissions.
    ///
    /// Not an `async` function: it would reserve space for the future twice.
    pub fn scope<F: Future>(self, future: F) -> TaskLocalFuture<Self, F> {
        CURRENT.scope(self, future)
    }

    /// Returns whether they are sufficient for an operation.
    #[must_use]
    pub fn permit(self, operation: &Operation) -> bool {
        self.find_missing(operation.access, operation.method).is_none()
    }

    /// Checks that they are sufficient for an operation with this access and method.
    ///
    /// # Errors
    /// `SESSION_REQUIRED`, `INSUFFICIENT_SCOPE` or `FORBIDDEN`.
    pub fn check(self, access: Access, method: &str) -> Result<(), ApiError> {
        match self.find_missing(access, method) {
            None => Ok(()),
            Some(Missing::Session) => Err(ErrorCode::SessionRequired.into()),
            Some(Missing::Scope(scope)) => {
                let message = format!("The API client does not have the scope `{}`.", scope.as_str());
                let error = ApiError::new(ErrorCode::InsufficientScope).with_message(message);
                Err(ApiError { required_scope: Some(scope), ..error })
            }
            Some(Missing::Administrator) => Err(ErrorCode::Forbidden.into()),
        }
    }

    fn find_missing(self, access: Access, method: &str) -> Option<Missing> {
        if let Some(scopes) = self.scopes {
            if access.requires_session() {
                return Some(Missing::Session);
            }
            if let Some(scope) = access.required_scope(method).filter(|scope| scopes & bit(*scope) == 0) {
                return Some(Missing::Scope(scope));
            }
        }
        (access.is_admin_only() && !self.is_admin).then_some(Missing::Administrator)
    }
}

const fn bit(scope: Scope) -> u8 {
    match scope {
        Scope::Read => 1,
        Scope::Write => 2,
        Scope::Admin => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_client_needs_the_scope_of_the_operation() {
        use ErrorCode::{Forbidden, InsufficientScope, SessionRequired};
        for (access, method, is_admin, scopes, expected) in [
            (Access::Anonymous, "POST", false, &[][..], None),
            (Access::User, "GET", false, &[Scope::Read], None),
            (Access::User, "HEAD", false, &[Scope::Read], None),
            (Access::User, "POST", false, &[Scope::Read], Some(InsufficientScope)),
            (Access::User, "GET", false, &[Scope::Write], Some(InsufficientScope)),
            (Access::User, "DELETE", false, &[Scope::Write], None),
            (Access::Admin, "GET", true, &[Scope::Read, Scope::Write], Some(InsufficientScope)),
            (Access::Admin, "GET", false, &[Scope::Admin], Some(Forbidden)),
            (Access::Admin, "POST", true, &[Scope::Admin], None),
            (Access::UserSession, "GET", true, &[Scope::Read, Scope::Write, Scope::Admin], Some(SessionRequired)),
            (Access::AdminSession, "GET", true, &[Scope::Read, Scope::Write, Scope::Admin], Some(SessionRequired)),
        ] {
            let result = Permissions::of_api_client(is_admin, scopes).check(access, method);
            assert_eq!(result.err().map(|error| error.code), expected, "{access:?} {method} {scopes:?}");
        }
        let error = Permissions::of_api_client(false, &[]).check(Access::User, "PUT").unwrap_err();
        assert_eq!(error.message(), "The API client does not have the scope `write`.");
    }

    #[test]
    fn session_needs_no_scope() {
        for access in [Access::User, Access::UserSession] {
            assert!(Permissions::of_session(false).check(access, "POST").is_ok());
        }
        for access in [Access::Admin, Access::AdminSession] {
            assert!(Permissions::ALL.check(access, "POST").is_ok());
            let error = Permissions::of_session(false).check(access, "GET").unwrap_err();
            assert_eq!(error.code, ErrorCode::Forbidden);
        }
    }

    #[tokio::test]
    async fn permissions_belong_to_the_request() {
        let user = Permissions::of_session(false);
        assert_eq!(user.scope(async { Permissions::current() }).await, user);
        assert_eq!(Permissions::current(), Permissions::ALL);
    }
}
