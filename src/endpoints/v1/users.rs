//! Accounts.

use contract::{
    Admin, ApiError, Json, User as Caller,
    caller::Client,
    v1::{
        endpoints::{OneUser, UserDeleted, UserEndpoints, Users as UsersAnswer},
        schemas::{AccountDeletion, MePatch, Role, User, UserPage, UserPatch},
    },
    values::{EmailAddress, Id, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::pages;
use crate::{
    db::repositories::users::{ADMIN, USER, UserRow},
    endpoints::{audit_origin, secret},
    services::{AccountChanges, Precondition, Users},
};

/// `/v1/users` over the accounts.
pub struct UserAccounts(pub Users);

impl UserEndpoints for UserAccounts {
    async fn get_me(&self, Caller(caller): Caller) -> Result<OneUser, ApiError> {
        one(self.0.get_own(caller.user_id).await?)
    }

    async fn update_me(
        &self,
        Caller(caller): Caller,
        client: Client,
        Json(body): Json<MePatch>,
    ) -> Result<OneUser, ApiError> {
        let changes = AccountChanges {
            name: body.name,
            email: body.email.map(|EmailAddress(address)| address),
            current_password: body.current_password.as_ref().map(secret),
        };
        let origin = audit_origin(client, Some(caller.user_id));
        one(self.0.update_own(caller.user_id, changes, Precondition::None, origin).await?)
    }

    async fn delete_me(
        &self,
        Caller(caller): Caller,
        client: Client,
        Json(body): Json<AccountDeletion>,
    ) -> Result<UserDeleted, ApiError> {
        let origin = audit_origin(client, Some(caller.user_id));
        self.0.delete_own(caller.user_id, secret(&body.password), Precondition::None, origin).await?;
        Ok(UserDeleted::Done)
    }

    async fn list(
        &self,
        _: Admin,
        page: Query<i32>,
        per_page: Query<i32>,
        q: Query<Option<SearchText>>,
    ) -> Result<UsersAnswer, ApiError> {
        let request = pages::request(page.0, per_page.0, q.0);
        let found = self.0.list(request.clone()).await?;
        let (meta, links) = pages::frame("/v1/users", &request, found.total);
        let data = found.rows.into_iter().map(user).collect();
        Ok(UsersAnswer::Ok(Json(UserPage { data, meta, links })))
    }

    async fn get(&self, _: Admin, Path(Id(user_id)): Path<Id>) -> Result<OneUser, ApiError> {
        one(self.0.get(user_id).await?)
    }

    async fn update(
        &self,
        Admin(caller): Admin,
        client: Client,
        Path(Id(user_id)): Path<Id>,
        Json(body): Json<UserPatch>,
    ) -> Result<OneUser, ApiError> {
        let role = body.role.map(|role| match role {
            Role::User => USER,
            Role::Admin => ADMIN,
        });
        let origin = audit_origin(client, Some(caller.user_id));
        one(self.0.update(user_id, role, body.disabled, Precondition::None, origin).await?)
    }

    async fn delete(
        &self,
        Admin(caller): Admin,
        client: Client,
        Path(Id(user_id)): Path<Id>,
    ) -> Result<UserDeleted, ApiError> {
        self.0.delete(user_id, Precondition::None, audit_origin(client, Some(caller.user_id))).await?;
        Ok(UserDeleted::Done)
    }
}

fn one(row: UserRow) -> Result<OneUser, ApiError> {
    Ok(OneUser::Ok(Json(user(row))))
}

pub(super) fn user(row: UserRow) -> User {
    User {
        id: Id(row.id),
        role: if row.is_admin() { Role::Admin } else { Role::User },
        email: EmailAddress(row.email),
        name: row.name,
        disabled: row.disabled,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    }
}
