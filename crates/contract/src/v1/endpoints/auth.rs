//! Accounts, sessions and passwords.

use endpoints::endpoints;
use poem_openapi::ApiResponse;

use super::Tag;
use crate::{
    ApiError, ErrorCode, Json, Operation, User,
    caller::Client,
    operation::Limit,
    v1::schemas::{
        AuthSession, Credentials, PasswordChange, PasswordReset, PasswordResetRequest, Registration, SessionRefresh,
    },
};

/// The answer of `register`.
#[derive(ApiResponse)]
pub enum Registered {
    /// The account was made and is logged in.
    #[oai(status = 201)]
    Created(
        Json<AuthSession>,
        /// The path of the user.
        #[oai(header = "Location")]
        String,
    ),
}

/// The answer of `login` and `refreshSession`.
#[derive(ApiResponse)]
pub enum SessionOpened {
    /// The session.
    #[oai(status = 200)]
    Ok(Json<AuthSession>),
}

/// The answer of `logout`.
#[derive(ApiResponse)]
pub enum LoggedOut {
    /// The session has ended.
    #[oai(status = 204)]
    Done,
}

/// The answer of `changePassword` and `confirmPasswordReset`.
#[derive(ApiResponse)]
pub enum PasswordSet {
    /// The password is set.
    #[oai(status = 204)]
    Done,
}

/// The answer of `requestPasswordReset`.
#[derive(ApiResponse)]
pub enum ResetRequested {
    /// If the account exists, a mail is on its way.
    #[oai(status = 202)]
    Accepted,
}

/// Accounts, sessions and passwords.
#[endpoints(AuthRoutes, prefix_path = "/auth", tag = "Tag::Auth", operation = "Operation")]
pub trait AuthEndpoints: Send + Sync + 'static {
    /// Make an account.
    ///
    /// The account is logged in at once: the answer is its first session.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    #[operation(errors(&[ErrorCode::EmailTaken]), limit(Limit::Register))]
    async fn register(&self, client: Client, body: Json<Registration>) -> Result<Registered, ApiError>;

    /// Log in.
    ///
    /// Exchanges an email address and a password for a session. The answer to an unknown account and to a wrong
    /// password is the same. Attempts are limited for each address, and for each account, existing or not, from addresses
    /// that have not logged in to it before: whoever has is not locked out by others who guess.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    #[operation(errors(&[ErrorCode::InvalidCredentials, ErrorCode::AccountDisabled]), limit(Limit::Login))]
    async fn login(&self, client: Client, body: Json<Credentials>) -> Result<SessionOpened, ApiError>;

    /// Continue a session.
    ///
    /// Exchanges the refresh token for a new access token and the next refresh token. A refresh token is good for one
    /// use: using one again ends the session, because somebody else may have it. A repetition within ten seconds gets
    /// the same next token, so that two windows of one user do not log each other out.
    #[oai(path = "/refresh", method = "post", operation_id = "refreshSession")]
    #[operation(errors(&[ErrorCode::InvalidRefreshToken, ErrorCode::AccountDisabled]), limit(Limit::Refresh))]
    async fn refresh(&self, client: Client, body: Json<SessionRefresh>) -> Result<SessionOpened, ApiError>;

    /// Log out.
    ///
    /// Ends the session: its access token is refused from the next request on, its refresh token is void.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, caller: User, client: Client) -> Result<LoggedOut, ApiError>;

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
    ) -> Result<PasswordSet, ApiError>;

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
    ) -> Result<ResetRequested, ApiError>;

    /// Set a password with a mailed token.
    ///
    /// A token is good for one use and a short time, ten minutes unless the operator gives more. All sessions of the account end.
    #[oai(path = "/password-reset/confirm", method = "post", operation_id = "confirmPasswordReset")]
    #[operation(errors(&[ErrorCode::InvalidResetToken]), limit(Limit::Login))]
    async fn confirm_password_reset(&self, client: Client, body: Json<PasswordReset>) -> Result<PasswordSet, ApiError>;
}
