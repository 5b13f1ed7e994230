//! `/v2/users/me`.

use contract::{
    Json, User as Caller, UserSession,
    caller::ClientInfo,
    payload::MergePatch,
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::UserEndpoints,
        responses::{NoContent, Retrieved, Updated},
        schemas::{AccountDeletion, Links, MePatch, User},
    },
    values::EmailAddress,
};

use super::{Conditions, conditions::with_etag, representations::user};
use crate::{
    domain::UserId,
    endpoints::{audit_origin, secret},
    services::{AccountChanges, Users},
};

/// Implements the endpoints of the caller's account.
pub struct UserApi {
    pub(super) users: Users,
    pub(super) conditions: Conditions,
}

impl UserEndpoints for UserApi {
    async fn get_me(&self, Caller(caller): Caller, _: IfNoneMatch) -> Result<Retrieved<User>, ProblemResponse> {
        let (value, etag) = with_etag(self.users.get_own(UserId::new(caller.user_id)).await?)?;
        Ok(Retrieved::new(etag, user(value, Links::Me)))
    }

    async fn update_me(
        &self,
        UserSession(caller): UserSession,
        client: ClientInfo,
        if_match: IfMatch,
        MergePatch(body): MergePatch<MePatch>,
    ) -> Result<Updated<User>, ProblemResponse> {
        let changes = AccountChanges {
            name: body.name,
            email: body.email.map(|EmailAddress(address)| address),
            current_password: body.current_password.as_ref().map(secret),
        };
        let precondition = self.conditions.precondition(if_match)?;
        let user_id = UserId::new(caller.user_id);
        let origin = audit_origin(client, Some(user_id));
        let (value, etag) = with_etag(self.users.update_own(user_id, changes, precondition, origin).await?)?;
        Ok(Updated::new(etag, user(value, Links::Me)))
    }

    async fn delete_me(
        &self,
        UserSession(caller): UserSession,
        client: ClientInfo,
        if_match: IfMatch,
        Json(body): Json<AccountDeletion>,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let user_id = UserId::new(caller.user_id);
        let origin = audit_origin(client, Some(user_id));
        self.users.delete_own(user_id, secret(&body.password), precondition, origin).await?;
        Ok(NoContent)
    }

    async fn delete_account(
        &self,
        caller: UserSession,
        client: ClientInfo,
        if_match: IfMatch,
        body: Json<AccountDeletion>,
    ) -> Result<NoContent, ProblemResponse> {
        self.delete_me(caller, client, if_match, body).await
    }
}
