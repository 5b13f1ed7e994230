//! One's own account.

use contract::{
    Json, User as Caller,
    caller::Client,
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::UserEndpoints,
        responses::{NoContent, Retrieved, Updated},
        schemas::{AccountDeletion, Links, MePatch, User},
    },
    values::EmailAddress,
};

use super::{Conditions, conditions::tag, representations::user};
use crate::{
    endpoints::{audit_origin, secret},
    services::{AccountChanges, Users},
};

/// `/v2/users` over the accounts.
pub struct UserAccounts {
    pub(super) users: Users,
    pub(super) conditions: Conditions,
}

impl UserEndpoints for UserAccounts {
    async fn get_me(&self, Caller(caller): Caller, _: IfNoneMatch) -> Result<Retrieved<User>, ProblemResponse> {
        let row = self.users.get_own(caller.user_id).await?;
        Ok(Retrieved { tag: tag(&Users::version(&row)), body: Json(user(row, Links::Me)) })
    }

    async fn update_me(
        &self,
        Caller(caller): Caller,
        client: Client,
        if_match: IfMatch,
        Json(body): Json<MePatch>,
    ) -> Result<Updated<User>, ProblemResponse> {
        let changes = AccountChanges {
            name: body.name,
            email: body.email.map(|EmailAddress(address)| address),
            current_password: body.current_password.as_ref().map(secret),
        };
        let precondition = self.conditions.precondition(if_match)?;
        let origin = audit_origin(client, Some(caller.user_id));
        let row = self.users.update_own(caller.user_id, changes, precondition, origin).await?;
        Ok(Updated { tag: tag(&Users::version(&row)), body: Json(user(row, Links::Me)) })
    }

    async fn delete_me(
        &self,
        Caller(caller): Caller,
        client: Client,
        if_match: IfMatch,
        Json(body): Json<AccountDeletion>,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let origin = audit_origin(client, Some(caller.user_id));
        self.users.delete_own(caller.user_id, secret(&body.password), precondition, origin).await?;
        Ok(NoContent)
    }
}
