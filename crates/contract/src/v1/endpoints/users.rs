//! The caller's own account, and all user accounts for administrators.

use endpoints::endpoints;
use poem_openapi::param::{Path, Query};

use super::{Tag, default_per_page, first_page};
use crate::{
    Admin, ApiError, ErrorCode, Json, Operation, User as Caller, UserSession,
    caller::ClientInfo,
    payload::MergePatch,
    responses::NoContent,
    v1::schemas::{AccountDeletion, MePatch, User, UserPage, UserPatch},
    values::{Id, SearchText},
};

/// The caller's own account, and all user accounts for administrators.
#[endpoints(UserRoutes, prefix_path = "/users", tag = "Tag::Users", operation = "Operation")]
pub trait UserEndpoints: Send + Sync + 'static {
    /// Retrieve your account
    ///
    /// Returns the account of the authenticated user. With an API key, returns the account that the API client acts for.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    #[operation(returns("Your account."))]
    async fn get_me(&self, caller: Caller) -> Result<Json<User>, ApiError>;

    /// Update your account
    ///
    /// Changes your display name or email address. Omitted fields keep their value. Changing the email address requires
    /// `current_password`.
    #[oai(path = "/me", method = "patch", operation_id = "updateMe")]
    #[operation(returns("The updated account."), errors(&[ErrorCode::EmailTaken, ErrorCode::WrongPassword]))]
    async fn update_me(
        &self,
        caller: UserSession,
        client: ClientInfo,
        body: MergePatch<MePatch>,
    ) -> Result<Json<User>, ApiError>;

    /// Delete your account
    ///
    /// Permanently deletes your account with all its bucketlists, items and sessions. Requires your password. The last active
    /// administrator cannot be deleted.
    #[oai(path = "/me", method = "delete", operation_id = "deleteMe")]
    #[operation(returns("The account was deleted."), errors(&[ErrorCode::WrongPassword, ErrorCode::LastAdmin]))]
    async fn delete_me(
        &self,
        caller: UserSession,
        client: ClientInfo,
        body: Json<AccountDeletion>,
    ) -> Result<NoContent, ApiError>;

    /// List users
    ///
    /// Returns all user accounts, oldest first, one page at a time. For administrators only.
    #[oai(path = "/", method = "get", operation_id = "listUsers")]
    #[operation(returns("A page of users."), deprecated((2026, 11, 20), (2027, 11, 20), "/v2/admin/users"))]
    async fn list(
        &self,
        caller: Admin,
        #[oai(default = "first_page", validator(minimum(value = "1")))] page: Query<i32>,
        #[oai(default = "default_per_page", validator(minimum(value = "1")))] per_page: Query<i32>,
        /// Returns only users whose email address or name contains this text. Case-insensitive.
        q: Query<Option<SearchText>>,
    ) -> Result<Json<UserPage>, ApiError>;

    /// Retrieve a user
    ///
    /// Returns one user account. For administrators only.
    #[oai(path = "/:user_id", method = "get", operation_id = "getUser")]
    #[operation(returns("The requested user."), errors(&[ErrorCode::UserNotFound]))]
    async fn get(&self, caller: Admin, user_id: Path<Id>) -> Result<Json<User>, ApiError>;

    /// Update a user
    ///
    /// Changes the role of a user, or disables or enables the account. Omitted fields keep their value. The last active
    /// administrator cannot be demoted or disabled. For administrators only.
    #[oai(path = "/:user_id", method = "patch", operation_id = "updateUser")]
    #[operation(returns("The updated user."), errors(&[ErrorCode::UserNotFound, ErrorCode::LastAdmin]))]
    async fn update(
        &self,
        caller: Admin,
        client: ClientInfo,
        user_id: Path<Id>,
        body: MergePatch<UserPatch>,
    ) -> Result<Json<User>, ApiError>;

    /// Delete a user
    ///
    /// Permanently deletes a user account with all its bucketlists, items and sessions. The last active administrator cannot
    /// be deleted. For administrators only.
    #[oai(path = "/:user_id", method = "delete", operation_id = "deleteUser")]
    #[operation(returns("The user was deleted."), errors(&[ErrorCode::UserNotFound, ErrorCode::LastAdmin]))]
    async fn delete(&self, caller: Admin, client: ClientInfo, user_id: Path<Id>) -> Result<NoContent, ApiError>;
}
