//! `/v2/admin/api-clients`.

use std::time::Duration;

use contract::{
    Admin, AdminSession, Json,
    caller::ClientInfo,
    payload::MergePatch,
    v2::{
        IdempotencyKey, IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::ApiClientEndpoints,
        parameters::{Cursor, Include, PerPage, Sort},
        responses::{Created, NoContent, PageResponse, Retrieved, Updated},
        schemas::{
            ApiClient, ApiClientCreate, ApiClientCreated, ApiClientKey, ApiClientPage, ApiClientPatch, ApiScope, Links,
        },
    },
    values::{EmailAddress, Id, Nullable, Timestamp},
};
use poem_openapi::{
    param::{Path, Query},
    types::MaybeUndefined,
};

use super::{
    Conditions, Cursors,
    conditions::with_etag,
    pages::{self, ListRequest, PageEnvelope},
    representations::timestamp,
};
use crate::{
    domain::{self, ApiClientChanges, ApiClientId, ApiScopes, UserId},
    endpoints::audit_origin,
    services::{ApiClientContent, ApiClients},
};

/// Implements the endpoints of API clients.
pub struct ApiClientApi {
    pub(super) api_clients: ApiClients,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
}

const PATH: &str = "/v2/admin/api-clients";

/// Seconds for which replaced keys remain valid by default.
const DEFAULT_OVERLAP: i32 = 86_400;

impl ApiClientEndpoints for ApiClientApi {
    async fn list(
        &self,
        _: Admin,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(user_id): Query<Option<Id>>,
        Query(include): Query<Vec<Include>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<ApiClientPage>, ProblemResponse> {
        let newest_first = Sort("-created_at".to_owned());
        let request = ListRequest {
            list: "api clients".to_owned(),
            filter: user_id.map(|Id(id)| UserId::new(id)),
            sort: Some(&newest_first),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&Include::Total),
        };
        let (query, binding) = request.query(&self.cursors)?;
        let sort_key = query.keyset.sort;
        let page = self.api_clients.list_by_cursor(query).await?;
        let next = pages::next_position(&page, |client| client.position(sort_key))
            .map(|position| self.cursors.encode(&binding, &position));
        let link_query = pages::Query::default()
            .with("user_id", user_id.map(|Id(id)| id))
            .with("include", request.with_total.then_some("total"));
        let envelope =
            PageEnvelope::new(PATH, &link_query, request.limit, cursor.as_ref(), next.as_deref(), page.total);
        let data = page.data.into_iter().map(api_client).collect();
        let page = ApiClientPage { data, meta: envelope.meta, links: envelope.links };
        pages::page_response(page, envelope.header)
    }

    async fn create(
        &self,
        AdminSession(caller): AdminSession,
        client: ClientInfo,
        IdempotencyKey(idempotency_key): IdempotencyKey,
        Json(body): Json<ApiClientCreate>,
    ) -> Result<Created<ApiClientCreated>, ProblemResponse> {
        let caller = UserId::new(caller.user_id);
        let EmailAddress(contact_email) = body.contact_email;
        let content = ApiClientContent {
            name: body.name,
            contact_email,
            user_id: body.user_id.map_or(caller, |Id(id)| UserId::new(id)),
            scopes: domain_scopes(&body.scopes),
            rate_limit: body.rate_limit,
            expires_at: body.expires_at.map(domain_timestamp),
        };
        let origin = audit_origin(client, Some(caller));
        let (created, key) = self.api_clients.create(caller, content, idempotency_key, origin).await?;
        let (value, etag) = with_etag(created.value)?;
        let location = format!("{PATH}/{}", value.id);
        let body = ApiClientCreated::new(api_client(value), key.map(|key| key.expose().to_owned()));
        Ok(Created::new(location, Some(etag), created.replayed, body))
    }

    async fn get(
        &self,
        _: Admin,
        Path(Id(id)): Path<Id>,
        _: IfNoneMatch,
    ) -> Result<Retrieved<ApiClient>, ProblemResponse> {
        let (value, etag) = with_etag(self.api_clients.get(ApiClientId::new(id)).await?)?;
        Ok(Retrieved::new(etag, api_client(value)))
    }

    async fn update(
        &self,
        AdminSession(caller): AdminSession,
        client: ClientInfo,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
        MergePatch(body): MergePatch<ApiClientPatch>,
    ) -> Result<Updated<ApiClient>, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let changes = ApiClientChanges {
            name: body.name,
            contact_email: body.contact_email.map(|EmailAddress(address)| address),
            scopes: body.scopes.as_deref().map(domain_scopes),
            rate_limit: change(body.rate_limit),
            expires_at: change(body.expires_at).map(|time| time.map(domain_timestamp)),
            deprecation_notices_enabled: body.deprecation_notices_enabled,
        };
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        let (value, etag) =
            with_etag(self.api_clients.update(ApiClientId::new(id), changes, precondition, origin).await?)?;
        Ok(Updated::new(etag, api_client(value)))
    }

    async fn rotate(
        &self,
        AdminSession(caller): AdminSession,
        client: ClientInfo,
        Path(Id(id)): Path<Id>,
        Query(overlap_seconds): Query<Option<i32>>,
    ) -> Result<Json<ApiClientKey>, ProblemResponse> {
        let overlap = u64::try_from(overlap_seconds.unwrap_or(DEFAULT_OVERLAP)).unwrap_or_default();
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        let rotated = self.api_clients.rotate(ApiClientId::new(id), Duration::from_secs(overlap), origin).await?;
        Ok(Json(ApiClientKey {
            key: rotated.key.expose().to_owned(),
            key_prefix: rotated.key.prefix().to_owned(),
            previous_valid_until: timestamp(rotated.previous_valid_until),
        }))
    }

    async fn delete(
        &self,
        AdminSession(caller): AdminSession,
        client: ClientInfo,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        self.api_clients.delete(ApiClientId::new(id), precondition, origin).await?;
        Ok(NoContent)
    }
}

/// Returns the change of a field that null clears.
fn change<T>(field: MaybeUndefined<T>) -> Option<Option<T>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

fn domain_timestamp(time: Timestamp) -> domain::Timestamp {
    domain::Timestamp::from_micros(time.micros())
}

fn domain_scopes(scopes: &[ApiScope]) -> ApiScopes {
    let scope = |scope: &ApiScope| match scope {
        ApiScope::Read => domain::ApiScope::Read,
        ApiScope::Write => domain::ApiScope::Write,
        ApiScope::Admin => domain::ApiScope::Admin,
    };
    scopes.iter().map(scope).collect()
}

fn api_client(client: domain::ApiClient) -> ApiClient {
    let scope = |scope| match scope {
        domain::ApiScope::Read => ApiScope::Read,
        domain::ApiScope::Write => ApiScope::Write,
        domain::ApiScope::Admin => ApiScope::Admin,
    };
    ApiClient {
        id: Id(client.id.get()),
        name: client.name,
        contact_email: EmailAddress(client.contact_email),
        user_id: Id(client.user_id.get()),
        scopes: client.scopes.iter().map(scope).collect(),
        rate_limit: Nullable(client.rate_limit),
        key_prefix: client.key_prefix,
        expires_at: Nullable(client.expires_at.map(timestamp)),
        last_used_at: Nullable(client.last_used_at.map(timestamp)),
        previous_valid_until: Nullable(client.previous_valid_until.map(timestamp)),
        deprecation_notices_enabled: client.deprecation_notices_enabled,
        created_at: timestamp(client.created_at),
        updated_at: timestamp(client.updated_at),
        links: Links::ApiClient(client.id.get()),
    }
}
