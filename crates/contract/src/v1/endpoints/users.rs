//! One's own account; and, for administrators, everybody's.

use endpoints::endpoints;
use poem_openapi::{
    ApiResponse,
    param::{Path, Query},
};

use super::Tag;
use crate::{
    Admin, ApiError, ErrorCode, Json, Operation, User as Caller,
    caller::Client,
    v1::schemas::{AccountDeletion, MePatch, User, UserPage, UserPatch},
    values::{Id, SearchText},
};

/// The answer of operations on one user.
#[derive(ApiResponse)]
pub enum OneUser {
    /// The user.
    #[oai(status = 200)]
    Ok(Json<User>),
}

/// The answer of `listUsers`.
#[derive(ApiResponse)]
pub enum Users {
    /// One page of users.
    #[oai(status = 200)]
    Ok(Json<UserPage>),
}

/// The answer of `deleteMe` and `deleteUser`.
#[derive(ApiResponse)]
pub enum UserDeleted {
    /// The user and all their data are gone.
    #[oai(status = 204)]
    Done,
}

/// One's own account; and, for administrators, everybody's.
#[endpoints(UserRoutes, prefix_path = "/users", tag = "Tag::Users", operation = "Operation")]
pub trait UserEndpoints: Send + Sync + 'static {
    /// Fetch your account.
    ///
    /// The account that the access token belongs to.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    async fn get_me(&self, caller: Caller) -> Result<OneUser, ApiError>;

    /// Change your account.
    ///
    /// A field left out stays as it is. A new email address needs the current password.
    #[oai(path = "/me", method = "patch", operation_id = "updateMe")]
    #[operation(errors(&[ErrorCode::EmailTaken, ErrorCode::WrongPassword]))]
    async fn update_me(&self, caller: Caller, client: Client, body: Json<MePatch>) -> Result<OneUser, ApiError>;

    /// Delete your account.
    ///
    /// Deletes the account with all its bucketlists, items and sessions, at once and for good. Asks for the password.
    #[oai(path = "/me", method = "delete", operation_id = "deleteMe")]
    #[operation(errors(&[ErrorCode::WrongPassword, ErrorCode::LastAdmin]))]
    async fn delete_me(
        &self,
        caller: Caller,
        client: Client,
        body: Json<AccountDeletion>,
    ) -> Result<UserDeleted, ApiError>;

    /// List the users.
    ///
    /// For administrators. The oldest account first.
    #[oai(path = "/", method = "get", operation_id = "listUsers")]
    #[operation(deprecated((2026, 11, 20), (2027, 11, 20), "/v2/admin/users"))]
    async fn list(
        &self,
        caller: Admin,
        /// The number of the page, from 1.
        #[oai(default = "first_page", validator(minimum(value = "1"), maximum(value = "2147483647")))]
        page: Query<i32>,
        /// How many rows a page has at most; more than 100 counts as 100.
        #[oai(default = "default_per_page", validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<i32>,
        /// Only users whose email address or name contains this, compared without case.
        q: Query<Option<SearchText>>,
    ) -> Result<Users, ApiError>;

    /// Fetch a user.
    ///
    /// For administrators.
    #[oai(path = "/:user_id", method = "get", operation_id = "getUser")]
    #[operation(errors(&[ErrorCode::UserNotFound]))]
    async fn get(
        &self,
        caller: Admin,
        /// The user.
        user_id: Path<Id>,
    ) -> Result<OneUser, ApiError>;

    /// Change a user.
    ///
    /// For administrators: the role, and whether the account is disabled. The last active administrator stays one.
    #[oai(path = "/:user_id", method = "patch", operation_id = "updateUser")]
    #[operation(errors(&[ErrorCode::UserNotFound, ErrorCode::LastAdmin]))]
    async fn update(
        &self,
        caller: Admin,
        client: Client,
        /// The user.
        user_id: Path<Id>,
        body: Json<UserPatch>,
    ) -> Result<OneUser, ApiError>;

    /// Delete a user.
    ///
    /// For administrators. Deletes the account with all its bucketlists, items and sessions, at once and for good.
    #[oai(path = "/:user_id", method = "delete", operation_id = "deleteUser")]
    #[operation(errors(&[ErrorCode::UserNotFound, ErrorCode::LastAdmin]))]
    async fn delete(
        &self,
        caller: Admin,
        client: Client,
        /// The user.
        user_id: Path<Id>,
    ) -> Result<UserDeleted, ApiError>;
}

pub(crate) fn first_page() -> i32 {
    1
}

pub(crate) fn default_per_page() -> i32 {
    20
}
