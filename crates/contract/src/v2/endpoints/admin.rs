//! User accounts, for administrators.

use super::*;
use crate::v2::schemas::{Role, User, UserPage, UserPatch};

/// User accounts, for administrators.
#[endpoints(AdminUserRoutes, prefix_path = "/admin/users", tag = "Tag::Admin", operation = "Operation")]
pub trait AdminUserEndpoints: Send + Sync + 'static {
    /// List users
    ///
    /// Returns all user accounts, one page at a time. As CSV or NDJSON, streams all of them unless `per_page` is set. For
    /// administrators only.
    #[oai(path = "/", method = "get", operation_id = "listUsers")]
    #[operation(returns("A page of users; as CSV or NDJSON, one row per user."))]
    async fn list(
        &self,
        caller: Admin,
        format: Format,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        sort: Query<Option<Sort>>,
        /// Returns only users whose email address or name contains this text. Case-insensitive.
        q: Query<Option<SearchText>>,
        /// Returns only users with this role.
        role: Query<Option<Role>>,
        /// Returns only disabled (`true`) or only enabled (`false`) accounts.
        disabled: Query<Option<bool>>,
        /// Returns only users created after this timestamp.
        created_after: Query<Option<Timestamp>>,
        #[oai(explode = false, default, validator(max_items = 10))] include: Query<Vec<Include>>,
        if_none_match: IfNoneMatch,
    ) -> Result<ListResponse<UserPage>>;

    /// Retrieve a user
    ///
    /// Returns one user account. For administrators only.
    #[oai(path = "/:user_id", method = "get", operation_id = "getUser")]
    #[operation(returns("The requested user."), errors(&[ErrorCode::UserNotFound]))]
    async fn get(&self, caller: Admin, user_id: Path<Id>, if_none_match: IfNoneMatch) -> Result<Retrieved<User>>;

    /// Update a user
    ///
    /// Changes the role of a user, disables or enables the account, or disables or enables email notices about deprecated
    /// operations. Omitted fields keep their value. The last active administrator cannot be demoted or disabled. For
    /// administrators only.
    #[oai(path = "/:user_id", method = "patch", operation_id = "updateUser")]
    #[operation(returns("The updated user."), errors(&[ErrorCode::UserNotFound, ErrorCode::LastAdmin]))]
    async fn update(
        &self,
        caller: Admin,
        client: ClientInfo,
        user_id: Path<Id>,
        if_match: IfMatch,
        body: MergePatch<UserPatch>,
    ) -> Result<Updated<User>>;

    /// Delete a user
    ///
    /// Permanently deletes a user account with all its bucketlists, items and sessions. The last active administrator cannot
    /// be deleted. For administrators only.
    #[oai(path = "/:user_id", method = "delete", operation_id = "deleteUser")]
    #[operation(returns("The user was deleted."), errors(&[ErrorCode::UserNotFound, ErrorCode::LastAdmin]))]
    async fn delete(
        &self,
        caller: Admin,
        client: ClientInfo,
        user_id: Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent>;
}
