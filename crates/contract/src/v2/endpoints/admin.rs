//! Everybody's accounts, for administrators.

use endpoints::endpoints;
use poem_openapi::param::{Path, Query};

use super::Tag;
use crate::{
    Admin, ErrorCode, Json, Operation,
    caller::Client,
    listing::{Format, ListResponse},
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        parameters::{Cursor, Include, Sort},
        responses::{NoContent, Retrieved, Updated},
        schemas::{Role, User, UserPage, UserPatch},
    },
    values::{Id, SearchText, Timestamp},
};

/// Everybody's accounts, for administrators.
#[endpoints(AdminUserRoutes, prefix_path = "/admin/users", tag = "Tag::Admin", operation = "Operation")]
pub trait AdminUserEndpoints: Send + Sync + 'static {
    /// List the users.
    ///
    /// For administrators. As JSON a page; as CSV or NDJSON all of them, unless `per_page` is given.
    #[oai(path = "/", method = "get", operation_id = "listUsers")]
    #[operation(errors(&[ErrorCode::InvalidCursor, ErrorCode::InvalidHeader]))]
    async fn list(
        &self,
        caller: Admin,
        format: Format,
        /// Where to go on: from `links.next` of the page before. Empty begins.
        cursor: Query<Option<Cursor>>,
        /// How many rows a page has at most: 20 unless given; more than 100 counts as 100.
        #[oai(validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<Option<i32>>,
        /// In which order: `created_at` (unless given), `updated_at` or `name` (by code point), with `-` before it backwards.
        sort: Query<Option<Sort>>,
        /// Only users whose email address or name contains this, compared without case.
        q: Query<Option<SearchText>>,
        /// Only users of this role.
        role: Query<Option<Role>>,
        /// Only users who are disabled, or who are not.
        disabled: Query<Option<bool>>,
        /// Only users made after this instant.
        created_after: Query<Option<Timestamp>>,
        /// `total`: how many rows there are in all.
        #[oai(explode = false, default, validator(max_items = 10))]
        include: Query<Vec<Include>>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<ListResponse<UserPage>, ProblemResponse>;

    /// Fetch a user.
    ///
    /// For administrators.
    #[oai(path = "/:user_id", method = "get", operation_id = "getUser")]
    #[operation(errors(&[ErrorCode::UserNotFound, ErrorCode::InvalidHeader]))]
    async fn get(
        &self,
        caller: Admin,
        /// The user.
        user_id: Path<Id>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<Retrieved<User>, ProblemResponse>;

    /// Change a user.
    ///
    /// For administrators: the role, and whether the account is disabled. The last active administrator stays one.
    #[oai(path = "/:user_id", method = "patch", operation_id = "updateUser")]
    #[operation(errors(&[ErrorCode::UserNotFound, ErrorCode::LastAdmin, ErrorCode::InvalidHeader]))]
    #[operation(conditional())]
    async fn update(
        &self,
        caller: Admin,
        client: Client,
        /// The user.
        user_id: Path<Id>,
        /// The tag of the state you mean to change: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        body: Json<UserPatch>,
    ) -> Result<Updated<User>, ProblemResponse>;

    /// Delete a user.
    ///
    /// For administrators. Deletes the account with all its bucketlists, items and sessions, at once and for good.
    #[oai(path = "/:user_id", method = "delete", operation_id = "deleteUser")]
    #[operation(errors(&[ErrorCode::UserNotFound, ErrorCode::LastAdmin, ErrorCode::InvalidHeader]))]
    #[operation(conditional())]
    async fn delete(
        &self,
        caller: Admin,
        client: Client,
        /// The user.
        user_id: Path<Id>,
        /// The tag of the state you mean to delete: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse>;
}
