//! One's own account.

use endpoints::endpoints;

use super::Tag;
use crate::{
    ErrorCode, Json, Operation, User as Caller,
    caller::Client,
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        responses::{NoContent, Retrieved, Updated},
        schemas::{AccountDeletion, MePatch, User},
    },
};

/// One's own account.
#[endpoints(UserRoutes, prefix_path = "/users", tag = "Tag::Users", operation = "Operation")]
pub trait UserEndpoints: Send + Sync + 'static {
    /// Fetch your account.
    ///
    /// The account that the access token belongs to.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    #[operation(errors(&[ErrorCode::InvalidHeader]))]
    async fn get_me(
        &self,
        caller: Caller,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<Retrieved<User>, ProblemResponse>;

    /// Change your account.
    ///
    /// A field left out stays as it is. A new email address needs the current password.
    #[oai(path = "/me", method = "patch", operation_id = "updateMe")]
    #[operation(errors(&[ErrorCode::EmailTaken, ErrorCode::WrongPassword, ErrorCode::InvalidHeader]))]
    #[operation(conditional())]
    async fn update_me(
        &self,
        caller: Caller,
        client: Client,
        /// The tag of the state you mean to change: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        body: Json<MePatch>,
    ) -> Result<Updated<User>, ProblemResponse>;

    /// Delete your account.
    ///
    /// Deletes the account with all its bucketlists, items and sessions, at once and for good. Asks for the password.
    #[oai(path = "/me", method = "delete", operation_id = "deleteMe")]
    #[operation(errors(&[ErrorCode::WrongPassword, ErrorCode::LastAdmin, ErrorCode::InvalidHeader]))]
    #[operation(conditional())]
    async fn delete_me(
        &self,
        caller: Caller,
        client: Client,
        /// The tag of the state you mean to delete: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        body: Json<AccountDeletion>,
    ) -> Result<NoContent, ProblemResponse>;
}
