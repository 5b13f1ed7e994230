//! API clients, for administrators.

use super::*;
use crate::v2::schemas::{ApiClient, ApiClientCreate, ApiClientCreated, ApiClientKey, ApiClientPage, ApiClientPatch};

/// API clients, for administrators.
#[endpoints(ApiClientRoutes, prefix_path = "/admin/api-clients", tag = "Tag::ApiClients", operation = "Operation")]
pub trait ApiClientEndpoints: Send + Sync + 'static {
    /// List API clients
    ///
    /// Returns the API clients of all accounts, newest first. For administrators only.
    #[oai(path = "/", method = "get", operation_id = "listApiClients")]
    #[operation(returns("A page of API clients."))]
    async fn list(
        &self,
        caller: Admin,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        /// Returns only API clients that act for the account with this ID.
        user_id: Query<Option<Id>>,
        #[oai(explode = false, default, validator(max_items = 10))] include: Query<Vec<Include>>,
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<ApiClientPage>>;

    /// Create an API client
    ///
    /// Creates an API client and its key. The key is in the response and cannot be retrieved later: only a digest of it is
    /// stored. Send it as `Authorization: Bearer blk_…` or `X-API-Key: blk_…`. For administrators only. API keys are not accepted.
    ///
    /// The API client acts for the account `user_id` within its scopes. It cannot change credentials, such as passwords,
    /// sessions and API clients. To rotate the key, use `rotateApiClientKey`; to revoke it, use `deleteApiClient`.
    #[oai(path = "/", method = "post", operation_id = "createApiClient")]
    #[operation(returns("The created API client and its key."), carries_tokens())]
    async fn create(
        &self,
        caller: AdminSession,
        client: ClientInfo,
        /// Unique key for this request, for example a UUID. Retrying the request with the same key within 24 hours returns the
        /// API client without its key.
        idempotency_key: IdempotencyKey,
        body: Json<ApiClientCreate>,
    ) -> Result<Created<ApiClientCreated>>;

    /// Retrieve an API client
    ///
    /// Returns one API client, without its key. For administrators only.
    #[oai(path = "/:api_client_id", method = "get", operation_id = "getApiClient")]
    #[operation(returns("The requested API client."), errors(&[ErrorCode::ApiClientNotFound]))]
    async fn get(
        &self,
        caller: Admin,
        api_client_id: Path<Id>,
        if_none_match: IfNoneMatch,
    ) -> Result<Retrieved<ApiClient>>;

    /// Update an API client
    ///
    /// Changes an API client. Omitted fields keep their value; changes apply to the next request with its key. For
    /// administrators only. API keys are not accepted.
    #[oai(path = "/:api_client_id", method = "patch", operation_id = "updateApiClient")]
    #[operation(returns("The updated API client."), errors(&[ErrorCode::ApiClientNotFound]))]
    async fn update(
        &self,
        caller: AdminSession,
        client: ClientInfo,
        api_client_id: Path<Id>,
        if_match: IfMatch,
        body: MergePatch<ApiClientPatch>,
    ) -> Result<Updated<ApiClient>>;

    /// Rotate the key of an API client
    ///
    /// Creates a new key. Previous keys remain valid until `previous_valid_until`, so you can replace the key without
    /// downtime. To revoke them immediately, send the query parameter `overlap_seconds=0`. The operation has no request body.
    /// For administrators only. API keys are not accepted.
    #[oai(path = "/:api_client_id/rotate", method = "post", operation_id = "rotateApiClientKey")]
    #[operation(returns("The new key."), errors(&[ErrorCode::ApiClientNotFound]), carries_tokens())]
    async fn rotate(
        &self,
        caller: AdminSession,
        client: ClientInfo,
        api_client_id: Path<Id>,
        /// Seconds for which previous keys remain valid. Default: 86400, one day. With 0, they are revoked immediately. Maximum:
        /// 2592000, 30 days.
        #[oai(validator(minimum(value = "0"), maximum(value = "2592000")))]
        overlap_seconds: Query<Option<i32>>,
    ) -> Result<Json<ApiClientKey>>;

    /// Delete an API client
    ///
    /// Permanently deletes an API client and revokes its keys. Requests with these keys return 401. For administrators only.
    /// API keys are not accepted.
    #[oai(path = "/:api_client_id", method = "delete", operation_id = "deleteApiClient")]
    #[operation(returns("The API client was deleted."), errors(&[ErrorCode::ApiClientNotFound]))]
    async fn delete(
        &self,
        caller: AdminSession,
        client: ClientInfo,
        api_client_id: Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent>;
}
