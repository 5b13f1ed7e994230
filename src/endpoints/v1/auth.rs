//! Accounts, sessions and passwords.

use contract::{
    ApiError, Json, User,
    caller::Client,
    v1::{
        endpoints::{AuthEndpoints, LoggedOut, PasswordSet, Registered, ResetRequested, SessionOpened},
        schemas::{
            AuthSession, Credentials, PasswordChange, PasswordReset, PasswordResetRequest, Registration,
            SessionRefresh, TokenType,
        },
    },
};

use super::users;
use crate::{
    endpoints::secret,
    services::{Accounts, NewAccount, Session},
};

/// `/v1/auth` over the accounts.
pub struct Auth(pub Accounts);

impl AuthEndpoints for Auth {
    async fn register(&self, client: Client, Json(body): Json<Registration>) -> Result<Registered, ApiError> {
        let account = NewAccount { email: body.email.0, password: secret(&body.password), name: body.name };
        let session = session(self.0.register(account, client.user_agent).await?);
        let location = format!("/v1/users/{}", session.user.id.0);
        Ok(Registered::Created(Json(session), location))
    }

    async fn login(&self, client: Client, Json(body): Json<Credentials>) -> Result<SessionOpened, ApiError> {
        let opened = self.0.login(&body.email.0, secret(&body.password), client.user_agent).await?;
        Ok(SessionOpened::Ok(Json(session(opened))))
    }

    async fn refresh(&self, Json(body): Json<SessionRefresh>) -> Result<SessionOpened, ApiError> {
        Ok(SessionOpened::Ok(Json(session(self.0.refresh(secret(&body.refresh_token)).await?))))
    }

    async fn logout(&self, User(caller): User) -> Result<LoggedOut, ApiError> {
        self.0.logout(caller.session_id, caller.token_id, caller.token_expires_at).await?;
        Ok(LoggedOut::Done)
    }

    async fn change_password(
        &self,
        User(caller): User,
        Json(body): Json<PasswordChange>,
    ) -> Result<PasswordSet, ApiError> {
        let (current, new) = (secret(&body.current_password), secret(&body.new_password));
        self.0.change_password(caller.user_id, caller.session_id, current, new).await?;
        Ok(PasswordSet::Done)
    }

    async fn request_password_reset(&self, Json(body): Json<PasswordResetRequest>) -> Result<ResetRequested, ApiError> {
        self.0.request_password_reset(&body.email.0).await?;
        Ok(ResetRequested::Accepted)
    }

    async fn confirm_password_reset(&self, Json(body): Json<PasswordReset>) -> Result<PasswordSet, ApiError> {
        self.0.confirm_password_reset(secret(&body.token), secret(&body.new_password)).await?;
        Ok(PasswordSet::Done)
    }
}

fn session(session: Session) -> AuthSession {
    AuthSession {
        access_token: session.access_token,
        token_type: TokenType::Bearer,
        expires_in: session.expires_in,
        refresh_token: session.refresh_token,
        refresh_expires_in: session.refresh_expires_in,
        user: users::user(session.user),
    }
}
