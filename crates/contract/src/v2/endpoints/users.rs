//! The caller's own account.

use super::*;
use crate::{
    User as Caller,
    v2::schemas::{AccountDeletion, MePatch, User},
};

/// The caller's own account.
#[endpoints(UserRoutes, prefix_path = "/users", tag = "Tag::Users", operation = "Operation")]
pub trait UserEndpoints: Send + Sync + 'static {
    /// Retrieve your account
    ///
    /// Returns the account of the authenticated user. With an API key, returns the account that the API client acts for.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    #[operation(returns("Your account."))]
    async fn get_me(&self, caller: Caller, if_none_match: IfNoneMatch) -> Result<Retrieved<User>>;

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
        if_match: IfMatch,
        body: MergePatch<MePatch>,
    ) -> Result<Updated<User>>;

    /// Delete your account
    ///
    /// Permanently deletes your account with all its bucketlists, items and sessions. Requires your password. The last active
    /// administrator cannot be deleted. If your HTTP client cannot send a body with DELETE, use `deleteAccount`.
    #[oai(path = "/me", method = "delete", operation_id = "deleteMe")]
    #[operation(returns("The account was deleted."), errors(&[ErrorCode::WrongPassword, ErrorCode::LastAdmin]))]
    async fn delete_me(
        &self,
        caller: UserSession,
        client: ClientInfo,
        if_match: IfMatch,
        body: Json<AccountDeletion>,
    ) -> Result<NoContent>;

    /// Delete your account with POST
    ///
    /// Same as `deleteMe`, for HTTP clients and proxies that ignore the body of a DELETE request.
    #[oai(path = "/me/delete", method = "post", operation_id = "deleteAccount")]
    #[operation(returns("The account was deleted."), errors(&[ErrorCode::WrongPassword, ErrorCode::LastAdmin]))]
    async fn delete_account(
        &self,
        caller: UserSession,
        client: ClientInfo,
        if_match: IfMatch,
        body: Json<AccountDeletion>,
    ) -> Result<NoContent>;
}
