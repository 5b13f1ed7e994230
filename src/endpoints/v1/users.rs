//! `/v1/users`.

use contract::{
    Admin, ApiError, Json, User as Caller, UserSession,
    caller::ClientInfo,
    payload::MergePatch,
    responses::NoContent,
    v1::{
        endpoints::UserEndpoints,
        schemas::{AccountDeletion, MePatch, Role, User, UserPage, UserPatch},
    },
    values::{EmailAddress, Id, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::pages;
use crate::{
    domain::{self, UserChanges, UserId, Versioned},
    endpoints::{audit_origin, secret},
    services::{AccountChanges, Precondition, Users},
};

/// Implements the endpoints of accounts.
pub struct UserApi(pub Users);

impl UserEndpoints for UserApi {
    async fn get_me(&self, Caller(caller): Caller) -> Result<Json<User>, ApiError> {
        Ok(response(self.0.get_own(UserId::new(caller.user_id)).await?))
    }

    async fn update_me(
        &self,
        UserSession(caller): UserSession,
        client: ClientInfo,
        MergePatch(body): MergePatch<MePatch>,
    ) -> Result<Json<User>, ApiError> {
        let changes = AccountChanges {
            name: body.name,
            email: body.email.map(|EmailAddress(address)| address),
            current_password: body.current_password.as_ref().map(secret),
        };
        let user_id = UserId::new(caller.user_id);
        let origin = audit_origin(client, Some(user_id));
        Ok(response(self.0.update_own(user_id, changes, Precondition::None, origin).await?))
    }

    async fn delete_me(
        &self,
        UserSession(caller): UserSession,
        client: ClientInfo,
        Json(body): Json<AccountDeletion>,
    ) -> Result<NoContent, ApiError> {
        let user_id = UserId::new(caller.user_id);
        let origin = audit_origin(client, Some(user_id));
        self.0.delete_own(user_id, secret(&body.password), Precondition::None, origin).await?;
        Ok(NoContent)
    }

    async fn list(
        &self,
        _: Admin,
        page: Query<i32>,
        per_page: Query<i32>,
        q: Query<Option<SearchText>>,
    ) -> Result<Json<UserPage>, ApiError> {
        let query = pages::query(page.0, per_page.0, q.0);
        let page = self.0.list_by_offset(query.clone()).await?;
        let (meta, links) = pages::meta_and_links("/v1/users", &query, page.total);
        let data = page.data.into_iter().map(user).collect();
        Ok(Json(UserPage { data, meta, links }))
    }

    async fn get(&self, _: Admin, Path(Id(user_id)): Path<Id>) -> Result<Json<User>, ApiError> {
        Ok(response(self.0.get(UserId::new(user_id)).await?))
    }

    async fn update(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        Path(Id(user_id)): Path<Id>,
        MergePatch(body): MergePatch<UserPatch>,
    ) -> Result<Json<User>, ApiError> {
        let role = body.role.map(|role| match role {
            Role::User => domain::Role::User,
            Role::Admin => domain::Role::Admin,
        });
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        let changes = UserChanges { role, disabled: body.disabled, ..UserChanges::default() };
        let updated = self.0.update(UserId::new(user_id), changes, Precondition::None, origin).await?;
        Ok(response(updated))
    }

    async fn delete(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        Path(Id(user_id)): Path<Id>,
    ) -> Result<NoContent, ApiError> {
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        self.0.delete(UserId::new(user_id), Precondition::None, origin).await?;
        Ok(NoContent)
    }
}

fn response(account: Versioned<domain::User>) -> Json<User> {
    Json(user(account.value))
}

pub(super) fn user(user: domain::User) -> User {
    User {
        id: Id(user.id.get()),
        role: match user.role {
            domain::Role::User => Role::User,
            domain::Role::Admin => Role::Admin,
        },
        email: EmailAddress(user.email),
        name: user.name,
        disabled: user.disabled,
        created_at: Timestamp::from_micros(user.created_at.micros()),
        updated_at: Timestamp::from_micros(user.updated_at.micros()),
    }
}
