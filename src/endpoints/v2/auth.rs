//! `/v2/auth`.

use contract::{
    Json, UserSession,
    caller::{ClientInfo, SessionCaller, SessionToken},
    v2::{
        IdempotencyKey, IfNoneMatch, ProblemResponse,
        endpoints::AuthEndpoints,
        parameters::{Cursor, PerPage},
        responses::{Accepted, NoContent, PageResponse, SessionCreated},
        schemas::{
            AuthSession, Credentials, Links, PasswordChange, PasswordReset, PasswordResetRequest, Registration,
            SessionPage, SessionRefresh, TokenType,
        },
    },
    values::Id,
};
use poem_openapi::param::{Path, Query};

use super::{
    Cursors,
    cursors::{CursorBinding, CursorPosition},
    pages::{self, PageEnvelope},
    representations,
};
use crate::{
    domain::{Session, SessionId, Timestamp, UserId},
    endpoints::{audit_origin, secret},
    services::{Accounts, NewAccount, SessionTokens, Sessions},
};

/// Implements the endpoints of registration, sessions and passwords.
pub struct AuthApi {
    pub(super) accounts: Accounts,
    pub(super) sessions: Sessions,
    pub(super) cursors: Cursors,
}

impl AuthEndpoints for AuthApi {
    async fn register(
        &self,
        client: ClientInfo,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<Registration>,
    ) -> Result<SessionCreated<AuthSession>, ProblemResponse> {
        let account = NewAccount { email: body.email.0, password: secret(&body.password), name: body.name };
        let user_agent = client.user_agent.clone();
        let registered = self.accounts.register(account, key, user_agent, audit_origin(client, None)).await?;
        let replayed = registered.replayed.then_some(true);
        Ok(SessionCreated::Created(Json(session(registered.value)), "/v2/users/me".to_owned().into(), replayed))
    }

    async fn login(
        &self,
        client: ClientInfo,
        Json(body): Json<Credentials>,
    ) -> Result<Json<AuthSession>, ProblemResponse> {
        let (user_agent, origin) = (client.user_agent.clone(), audit_origin(client, None));
        let tokens = self.accounts.login(&body.email.0, secret(&body.password), user_agent, origin).await?;
        Ok(Json(session(tokens)))
    }

    async fn refresh(
        &self,
        client: ClientInfo,
        Json(body): Json<SessionRefresh>,
    ) -> Result<Json<AuthSession>, ProblemResponse> {
        let tokens = self.accounts.refresh(secret(&body.refresh_token), audit_origin(client, None)).await?;
        Ok(Json(session(tokens)))
    }

    async fn logout(&self, UserSession(caller): UserSession, client: ClientInfo) -> Result<NoContent, ProblemResponse> {
        let SessionCaller { user_id, token: SessionToken { session_id, token_id, token_expires_at } } = caller;
        let (user_id, session_id) = (UserId::new(user_id), SessionId::new(session_id));
        let expires_at = Timestamp::from_seconds(token_expires_at);
        let origin = audit_origin(client, Some(user_id));
        self.accounts.logout(user_id, session_id, token_id, expires_at, origin).await?;
        Ok(NoContent)
    }

    async fn change_password(
        &self,
        UserSession(caller): UserSession,
        client: ClientInfo,
        Json(body): Json<PasswordChange>,
    ) -> Result<NoContent, ProblemResponse> {
        let (current, new) = (secret(&body.current_password), secret(&body.new_password));
        let (user_id, session_id) = (UserId::new(caller.user_id), SessionId::new(caller.token.session_id));
        let origin = audit_origin(client, Some(user_id));
        self.accounts.change_password(user_id, session_id, current, new, origin).await?;
        Ok(NoContent)
    }

    async fn request_password_reset(
        &self,
        client: ClientInfo,
        Json(body): Json<PasswordResetRequest>,
    ) -> Result<Accepted, ProblemResponse> {
        self.accounts.request_password_reset(&body.email.0, audit_origin(client, None)).await?;
        Ok(Accepted)
    }

    async fn confirm_password_reset(
        &self,
        client: ClientInfo,
        Json(body): Json<PasswordReset>,
    ) -> Result<NoContent, ProblemResponse> {
        let (token, new) = (secret(&body.token), secret(&body.new_password));
        self.accounts.confirm_password_reset(token, new, audit_origin(client, None)).await?;
        Ok(NoContent)
    }

    async fn list_sessions(
        &self,
        UserSession(caller): UserSession,
        Query(cursor): Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<SessionPage>, ProblemResponse> {
        let (user_id, session_id) = (UserId::new(caller.user_id), SessionId::new(caller.token.session_id));
        let limit = pages::per_page(per_page.0);
        let binding = CursorBinding::new(&format!("sessions of {user_id}"), &"-created_at");
        let after = match self.cursors.decode(&binding, cursor.as_ref())? {
            Some(CursorPosition::After(position)) => Some(position),
            _ => None,
        };
        let page = self.sessions.list_by_cursor(user_id, after, limit).await?;
        let next =
            pages::next_position(&page, Session::position).map(|position| self.cursors.encode(&binding, &position));
        let link_query = pages::Query::default();
        let envelope =
            PageEnvelope::new("/v2/auth/sessions", &link_query, limit, cursor.as_ref(), next.as_deref(), None);
        let data = page.data.into_iter().map(|session| representations::session(session, session_id)).collect();
        let page = SessionPage { data, meta: envelope.meta, links: envelope.links };
        pages::page_response(page, envelope.header)
    }

    async fn end_sessions(
        &self,
        UserSession(caller): UserSession,
        client: ClientInfo,
    ) -> Result<NoContent, ProblemResponse> {
        let user_id = UserId::new(caller.user_id);
        self.sessions.end_all(user_id, audit_origin(client, Some(user_id))).await?;
        Ok(NoContent)
    }

    async fn end_session(
        &self,
        UserSession(caller): UserSession,
        client: ClientInfo,
        Path(Id(session_id)): Path<Id>,
    ) -> Result<NoContent, ProblemResponse> {
        let user_id = UserId::new(caller.user_id);
        self.sessions.end(user_id, SessionId::new(session_id), audit_origin(client, Some(user_id))).await?;
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
        user: representations::user(tokens.user, Links::Me),
    }
}
