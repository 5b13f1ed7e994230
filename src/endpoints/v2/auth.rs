//! Accounts, sessions and passwords.

use contract::{
    Caller, Json, User,
    caller::Client,
    v2::{
        IdempotencyKey, IfNoneMatch, ProblemResponse,
        endpoints::AuthEndpoints,
        parameters::Cursor,
        responses::{Accepted, Answered, NoContent, PageResponse, SessionCreated},
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
    db::repositories::keyset::{KeysetPosition, SortValue},
    endpoints::{audit_origin, secret},
    services::{Accounts, NewAccount, Session, Sessions},
};

/// `/v2/auth` over the accounts and their sessions.
pub struct Auth {
    pub(super) accounts: Accounts,
    pub(super) sessions: Sessions,
    pub(super) cursors: Cursors,
}

impl AuthEndpoints for Auth {
    async fn register(
        &self,
        client: Client,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<Registration>,
    ) -> Result<SessionCreated<AuthSession>, ProblemResponse> {
        let account = NewAccount { email: body.email.0, password: secret(&body.password), name: body.name };
        let user_agent = client.user_agent.clone();
        let made = self.accounts.register(account, key, user_agent, audit_origin(client, None)).await?;
        let body = Json(session(made.value));
        Ok(SessionCreated { body, location: "/v2/users/me".to_owned(), replayed: made.replayed })
    }

    async fn login(
        &self,
        client: Client,
        Json(body): Json<Credentials>,
    ) -> Result<Answered<AuthSession>, ProblemResponse> {
        let (user_agent, origin) = (client.user_agent.clone(), audit_origin(client, None));
        let opened = self.accounts.login(&body.email.0, secret(&body.password), user_agent, origin).await?;
        Ok(Answered(Json(session(opened))))
    }

    async fn refresh(
        &self,
        client: Client,
        Json(body): Json<SessionRefresh>,
    ) -> Result<Answered<AuthSession>, ProblemResponse> {
        let refreshed = self.accounts.refresh(secret(&body.refresh_token), audit_origin(client, None)).await?;
        Ok(Answered(Json(session(refreshed))))
    }

    async fn logout(&self, User(caller): User, client: Client) -> Result<NoContent, ProblemResponse> {
        let origin = audit_origin(client, Some(caller.user_id));
        let Caller { user_id, session_id, token_id, token_expires_at, .. } = caller;
        self.accounts.logout(user_id, session_id, token_id, token_expires_at, origin).await?;
        Ok(NoContent)
    }

    async fn change_password(
        &self,
        User(caller): User,
        client: Client,
        Json(body): Json<PasswordChange>,
    ) -> Result<NoContent, ProblemResponse> {
        let (current, new) = (secret(&body.current_password), secret(&body.new_password));
        let origin = audit_origin(client, Some(caller.user_id));
        self.accounts.change_password(caller.user_id, caller.session_id, current, new, origin).await?;
        Ok(NoContent)
    }

    async fn request_password_reset(
        &self,
        client: Client,
        Json(body): Json<PasswordResetRequest>,
    ) -> Result<Accepted, ProblemResponse> {
        self.accounts.request_password_reset(&body.email.0, audit_origin(client, None)).await?;
        Ok(Accepted)
    }

    async fn confirm_password_reset(
        &self,
        client: Client,
        Json(body): Json<PasswordReset>,
    ) -> Result<NoContent, ProblemResponse> {
        let (token, new) = (secret(&body.token), secret(&body.new_password));
        self.accounts.confirm_password_reset(token, new, audit_origin(client, None)).await?;
        Ok(NoContent)
    }

    async fn list_sessions(
        &self,
        User(caller): User,
        Query(cursor): Query<Option<Cursor>>,
        per_page: Query<Option<i32>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<SessionPage>, ProblemResponse> {
        let limit = pages::per_page(per_page.0);
        let binding = CursorBinding::new(&format!("sessions of {}", caller.user_id), &"-created_at");
        let after = match self.cursors.read(&binding, cursor.as_ref())? {
            Some(CursorPosition::After(KeysetPosition { key: SortValue::Instant(opened), id })) => Some((opened, id)),
            _ => None,
        };
        let found = self.sessions.walk(caller.user_id, after, limit).await?;
        let end = pages::end(&found, |row| KeysetPosition { key: SortValue::Instant(row.created_at), id: row.id });
        let next = end.map(|place| self.cursors.write(&binding, &place));
        let query = pages::Query::default();
        let frame = PageEnvelope::new("/v2/auth/sessions", &query, limit, cursor.as_ref(), next.as_deref(), None);
        let data = found.rows.into_iter().map(|row| representations::session(row, caller.session_id)).collect();
        let page = SessionPage { data, meta: frame.meta, links: frame.links };
        pages::listed(page, frame.header)
    }

    async fn end_sessions(&self, User(caller): User, client: Client) -> Result<NoContent, ProblemResponse> {
        self.sessions.end_all(caller.user_id, audit_origin(client, Some(caller.user_id))).await?;
        Ok(NoContent)
    }

    async fn end_session(
        &self,
        User(caller): User,
        client: Client,
        Path(Id(session_id)): Path<Id>,
    ) -> Result<NoContent, ProblemResponse> {
        self.sessions.end(caller.user_id, session_id, audit_origin(client, Some(caller.user_id))).await?;
        Ok(NoContent)
    }
}

fn session(session: Session) -> AuthSession {
    AuthSession {
        access_token: session.access_token,
        token_type: TokenType::Bearer,
        expires_in: session.expires_in,
        refresh_token: session.refresh_token,
        refresh_expires_in: session.refresh_expires_in,
        user: representations::user(session.user, Links::Me),
    }
}
