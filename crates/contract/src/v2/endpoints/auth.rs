//! Accounts, sessions and passwords.

use endpoints::endpoints;
use poem_openapi::param::{Path, Query};

use super::Tag;
use crate::{
    ErrorCode, Json, Operation, User,
    caller::Client,
    operation::Limit,
    v2::{
        IdempotencyKey, IfNoneMatch, ProblemResponse,
        parameters::Cursor,
        responses::{Accepted, Answered, NoContent, PageResponse, SessionCreated},
        schemas::{
            AuthSession, Credentials, PasswordChange, PasswordReset, PasswordResetRequest, Registration, SessionPage,
            SessionRefresh,
        },
    },
    values::Id,
};

/// Accounts, sessions and passwords.
#[endpoints(AuthRoutes, prefix_path = "/auth", tag = "Tag::Auth", operation = "Operation")]
pub trait AuthEndpoints: Send + Sync + 'static {
    /// Make an account.
    ///
    /// The account is logged in at once: the answer is its first session. With an `Idempotency-Key` the account is made once,
    /// however often the request is sent within 24 hours; no token is kept, so that each repetition opens another session.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    #[operation(
        errors(&[ErrorCode::EmailTaken, ErrorCode::InvalidHeader, ErrorCode::IdempotencyKeyReused]),
        limit(Limit::Register)
    )]
    async fn register(
        &self,
        client: Client,
        /// A name of your choice for this creation: sent again, the request makes no other account.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: Json<Registration>,
    ) -> Result<SessionCreated<AuthSession>, ProblemResponse>;

    /// Log in.
    ///
    /// Exchanges an email address and a password for a session. The answer to an unknown account and to a wrong
    /// password is the same. Attempts are limited for each address, and for each account, existing or not, from addresses
    /// that have not logged in to it before: whoever has is not locked out by others who guess.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    #[operation(errors(&[ErrorCode::InvalidCredentials, ErrorCode::AccountDisabled]), limit(Limit::Login))]
    async fn login(&self, client: Client, body: Json<Credentials>) -> Result<Answered<AuthSession>, ProblemResponse>;

    /// Continue a session.
    ///
    /// Exchanges the refresh token for a new access token and the next refresh token. A refresh token is good for one
    /// use: using one again ends the session, because somebody else may have it. A repetition within ten seconds gets
    /// the same next token, so that two windows of one user do not log each other out.
    #[oai(path = "/refresh", method = "post", operation_id = "refreshSession")]
    #[operation(errors(&[ErrorCode::InvalidRefreshToken, ErrorCode::AccountDisabled]), limit(Limit::Refresh))]
    async fn refresh(
        &self,
        client: Client,
        body: Json<SessionRefresh>,
    ) -> Result<Answered<AuthSession>, ProblemResponse>;

    /// Log out.
    ///
    /// Ends the session: its access token is refused from the next request on, its refresh token is void.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, caller: User, client: Client) -> Result<NoContent, ProblemResponse>;

    /// Change the password.
    ///
    /// Needs the current one; how often it may be tried is limited. All other sessions of the account end; this one goes
    /// on.
    #[oai(path = "/password", method = "put", operation_id = "changePassword")]
    #[operation(errors(&[ErrorCode::WrongPassword]), limit(Limit::Login))]
    async fn change_password(
        &self,
        caller: User,
        client: Client,
        body: Json<PasswordChange>,
    ) -> Result<NoContent, ProblemResponse>;

    /// Ask for a password reset.
    ///
    /// If an account has this email address, it is mailed a token for `confirmPasswordReset`. The answer and its time
    /// are the same whether or not there is one. Requests are limited for each address and for each account, existing or
    /// not.
    #[oai(path = "/password-reset", method = "post", operation_id = "requestPasswordReset")]
    #[operation(limit(Limit::PasswordReset))]
    async fn request_password_reset(
        &self,
        client: Client,
        body: Json<PasswordResetRequest>,
    ) -> Result<Accepted, ProblemResponse>;

    /// Set a password with a mailed token.
    ///
    /// A token is good for one use and a short time, ten minutes unless the operator gives more. All sessions of the account end.
    #[oai(path = "/password-reset/confirm", method = "post", operation_id = "confirmPasswordReset")]
    #[operation(errors(&[ErrorCode::InvalidResetToken]), limit(Limit::Login))]
    async fn confirm_password_reset(
        &self,
        client: Client,
        body: Json<PasswordReset>,
    ) -> Result<NoContent, ProblemResponse>;

    /// List your sessions.
    ///
    /// The programs that are logged in to your account, the newest first.
    #[oai(path = "/sessions", method = "get", operation_id = "listSessions")]
    #[operation(errors(&[ErrorCode::InvalidCursor, ErrorCode::InvalidHeader]))]
    async fn list_sessions(
        &self,
        caller: User,
        /// Where to go on: from `links.next` of the page before. Empty begins.
        cursor: Query<Option<Cursor>>,
        /// How many rows a page has at most: 20 unless given; more than 100 counts as 100.
        #[oai(validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<Option<i32>>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<SessionPage>, ProblemResponse>;

    /// End all your sessions.
    ///
    /// This one, too: every program has to log in again.
    #[oai(path = "/sessions", method = "delete", operation_id = "endSessions")]
    async fn end_sessions(&self, caller: User, client: Client) -> Result<NoContent, ProblemResponse>;

    /// End a session.
    ///
    /// Its access tokens are refused from the next request on, its refresh token is void.
    #[oai(path = "/sessions/:session_id", method = "delete", operation_id = "endSession")]
    #[operation(errors(&[ErrorCode::SessionNotFound]))]
    async fn end_session(
        &self,
        caller: User,
        client: Client,
        /// The session.
        session_id: Path<Id>,
    ) -> Result<NoContent, ProblemResponse>;
}
