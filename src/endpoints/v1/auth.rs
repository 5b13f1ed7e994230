//! `/v1/auth`.

use contract::{
    ApiError, Json, UserSession,
    caller::{ClientInfo, SessionCaller, SessionToken},
    responses::{Accepted, NoContent},
    v1::{
        endpoints::{AuthEndpoints, Created},
        schemas::{
            AuthSession, Credentials, PasswordChange, PasswordReset, PasswordResetRequest, Registration,
            SessionRefresh, TokenType,
        },
    },
};

use super::users;
use crate::{
    domain::{SessionId, Timestamp, UserId},
    endpoints::{audit_origin, secret},
    services::{Accounts, NewAccount, SessionTokens},
};

/// Implements the endpoints of registration, sessions and passwords.
pub struct AuthApi(pub Accounts);

impl AuthEndpoints for AuthApi {
    async fn register(
        &self,
        client: ClientInfo,
        Json(body): Json<Registration>,
    ) -> Result<Created<AuthSession>, ApiError> {
        let account = NewAccount { email: body.email.0, password: secret(&body.password), name: body.name };
        let user_agent = client.user_agent.clone();
        let registered = self.0.register(account, None, user_agent, audit_origin(client, None)).await?;
        // Not the path with the ID, which only administrators may read.
        Ok(Created::Created(Json(session(registered.value)), "/v1/users/me".to_owned()))
    }

    async fn login(&self, client: ClientInfo, Json(body): Json<Credentials>) -> Result<Json<AuthSession>, ApiError> {
        let user_agent = client.user_agent.clone();
        let origin = audit_origin(client, None);
        let tokens = self.0.login(&body.email.0, secret(&body.password), user_agent, origin).await?;
        Ok(Json(session(tokens)))
    }

    async fn refresh(
        &self,
        client: ClientInfo,
        Json(body): Json<SessionRefresh>,
    ) -> Result<Json<AuthSession>, ApiError> {
        let tokens = self.0.refresh(secret(&body.refresh_token), audit_origin(client, None)).await?;
        Ok(Json(session(tokens)))
    }

    async fn logout(&self, UserSession(caller): UserSession, client: ClientInfo) -> Result<NoContent, ApiError> {
        let SessionCaller { user_id, token: SessionToken { session_id, token_id, token_expires_at } } = caller;
        let (user_id, session_id) = (UserId::new(user_id), SessionId::new(session_id));
        let expires_at = Timestamp::from_seconds(token_expires_at);
        let origin = audit_origin(client, Some(user_id));
        self.0.logout(user_id, session_id, token_id, expires_at, origin).await?;
        Ok(NoContent)
    }

    async fn change_password(
        &self,
        UserSession(caller): UserSession,
        client: ClientInfo,
        Json(body): Json<PasswordChange>,
    ) -> Result<NoContent, ApiError> {
        let (current, new) = (secret(&body.current_password), secret(&body.new_password));
        let (user_id, session_id) = (UserId::new(caller.user_id), SessionId::new(caller.token.session_id));
        let origin = audit_origin(client, Some(user_id));
        self.0.change_password(user_id, session_id, current, new, origin).await?;
        Ok(NoContent)
    }

    async fn request_password_reset(
        &self,
        client: ClientInfo,
        Json(body): Json<PasswordResetRequest>,
    ) -> Result<Accepted, ApiError> {
        self.0.request_password_reset(&body.email.0, audit_origin(client, None)).await?;
        Ok(Accepted)
    }

    async fn confirm_password_reset(
        &self,
        client: ClientInfo,
        Json(body): Json<PasswordReset>,
    ) -> Result<NoContent, ApiError> {
        let (token, new) = (secret(&body.token), secret(&body.new_password));
        self.0.confirm_password_reset(token, new, audit_origin(client, None)).await?;
        Ok(NoContent)
    }
}

fn session(tokens: SessionTokens) -> AuthSession {
    AuthSession {
        access_token: tokens.access_token,
        token_type: TokenType::Bearer,
        expires_in: tokens.expires_in,
        refresh_token: tokens.refresh_token,
        refresh_expires_in: tokens.refresh_expires_in,
        user: users::user(tokens.user),
    }
}
