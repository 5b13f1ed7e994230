//! Registration, login, sessions and passwords.

use super::*;
use crate::v2::schemas::{
    AuthSession, Credentials, PasswordChange, PasswordReset, PasswordResetRequest, Registration, SessionPage,
    SessionRefresh,
};

/// Registration, login, sessions and passwords.
#[endpoints(AuthRoutes, prefix_path = "/auth", tag = "Tag::Auth", operation = "Operation")]
pub trait AuthEndpoints: Send + Sync + 'static {
    /// Create an account
    ///
    /// Creates a user account and its first session. With an `Idempotency-Key`, retrying the request within 24 hours does
    /// not create another account. Tokens are not stored, so each retry creates a new session.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    #[operation(public(), returns("A new session of the created account."), carries_tokens())]
    #[operation(new_password("/password"), errors(&[ErrorCode::EmailTaken]), limit(OperationLimit::Register))]
    #[operation(excluded_errors(&[ErrorCode::IdempotencyKeyInFlight]))]
    async fn register(
        &self,
        client: ClientInfo,
        /// Unique key for this request, for example a UUID. Retrying the request with the same key within 24 hours does not
        /// create another account.
        idempotency_key: IdempotencyKey,
        body: Json<Registration>,
    ) -> Result<SessionCreated<AuthSession>>;

    /// Log in
    ///
    /// Exchanges an email address and a password for a session. An unknown email address and a wrong password return the
    /// same error. Attempts are rate-limited per IP address and per account. For each account, all IP addresses that have never
    /// logged in to it share one limit, so an attacker cannot lock the user out.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    #[operation(public(), returns("The new session."), carries_tokens(), limit(OperationLimit::Login))]
    #[operation(errors(&[ErrorCode::InvalidCredentials, ErrorCode::AccountDisabled]))]
    async fn login(&self, client: ClientInfo, body: Json<Credentials>) -> Result<Json<AuthSession>>;

    /// Refresh a session
    ///
    /// Exchanges a refresh token for a new access token and a new refresh token. Refresh tokens are rotated: each can be used once.
    ///
    /// If a token is reused within ten seconds and its successor is still unused, the same successor is returned, so concurrent
    /// refreshes are safe. Any other reuse ends the session, because the token may have been stolen.
    #[oai(path = "/refresh", method = "post", operation_id = "refreshSession")]
    #[operation(public(), returns("The refreshed session."), carries_tokens(), limit(OperationLimit::Refresh))]
    #[operation(errors(&[ErrorCode::InvalidRefreshToken, ErrorCode::AccountDisabled]))]
    async fn refresh(&self, client: ClientInfo, body: Json<SessionRefresh>) -> Result<Json<AuthSession>>;

    /// Log out
    ///
    /// Ends the session of the access token. Its access and refresh tokens are no longer accepted.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    #[operation(returns("The session was ended."))]
    async fn logout(&self, caller: UserSession, client: ClientInfo) -> Result<NoContent>;

    /// Change the password
    ///
    /// Sets a new password and ends all other sessions of the account. Requires the current password; attempts are
    /// rate-limited.
    #[oai(path = "/password", method = "put", operation_id = "changePassword")]
    #[operation(returns("The password was changed."), errors(&[ErrorCode::WrongPassword]), limit(OperationLimit::Login))]
    #[operation(new_password("/new_password"))]
    async fn change_password(
        &self,
        caller: UserSession,
        client: ClientInfo,
        body: Json<PasswordChange>,
    ) -> Result<NoContent>;

    /// Request a password reset
    ///
    /// Sends an email with a token for `confirmPasswordReset` if an account with this email address exists. The response and
    /// its timing are the same if no account exists. Requests are rate-limited per IP address and per email address.
    #[oai(path = "/password-reset", method = "post", operation_id = "requestPasswordReset")]
    #[operation(public(), returns("The request was accepted."), limit(OperationLimit::PasswordReset))]
    async fn request_password_reset(&self, client: ClientInfo, body: Json<PasswordResetRequest>) -> Result<Accepted>;

    /// Confirm a password reset
    ///
    /// Sets a new password with the token from the email, and ends all sessions of the account. A token is valid for
    /// one use and, by default, for ten minutes.
    #[oai(path = "/password-reset/confirm", method = "post", operation_id = "confirmPasswordReset")]
    #[operation(public(), returns("The password was changed."), new_password("/new_password"))]
    #[operation(errors(&[ErrorCode::InvalidResetToken]), limit(OperationLimit::Login))]
    async fn confirm_password_reset(&self, client: ClientInfo, body: Json<PasswordReset>) -> Result<NoContent>;

    /// List sessions
    ///
    /// Returns the active sessions of your account, newest first. End a session with `endSession`.
    #[oai(path = "/sessions", method = "get", operation_id = "listSessions")]
    #[operation(returns("A page of sessions."))]
    async fn list_sessions(
        &self,
        caller: UserSession,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<SessionPage>>;

    /// End all sessions
    ///
    /// Ends every session of your account, including the current one. All clients must log in again.
    #[oai(path = "/sessions", method = "delete", operation_id = "endSessions")]
    #[operation(returns("All sessions were ended."))]
    async fn end_sessions(&self, caller: UserSession, client: ClientInfo) -> Result<NoContent>;

    /// End a session
    ///
    /// Ends one session of your account. Its access and refresh tokens are no longer accepted.
    #[oai(path = "/sessions/:session_id", method = "delete", operation_id = "endSession")]
    #[operation(returns("The session was ended."), errors(&[ErrorCode::SessionNotFound]))]
    async fn end_session(&self, caller: UserSession, client: ClientInfo, session_id: Path<Id>) -> Result<NoContent>;
}
