//! `/v2/admin/incidents` and `/v2/admin/incident-groups`.

use std::sync::Arc;

use ::incidents::{CapturedBody, IncidentRecord, export, resend::not_resendable};
use base64::{Engine, engine::general_purpose::STANDARD};
use contract::{
    Admin, ErrorCode,
    caller::Client,
    payload::{MergePatch, SerializedJson},
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::IncidentEndpoints,
        parameters::{Cursor, Fingerprint, PerPage, Sort, Token},
        responses::{JsonDownload, NoContent, PageResponse, Retrieved, ShellCommand, ShellScript, Updated},
        schemas::{
            ApiScope, HttpArchive, Incident, IncidentBody, IncidentGroup, IncidentGroupPage, IncidentHeader,
            IncidentPage, IncidentPatch, IncidentRequest, IncidentResponse, IncidentSummary, Links, PostmanCollection,
        },
    },
    values::{Id, Nullable, Timestamp},
};
use poem_openapi::{
    param::{Path, Query},
    types::Type,
};

use super::{
    Conditions, Cursors,
    conditions::with_etag,
    pages::{self, ListRequest, PageEnvelope},
    representations::timestamp,
};
use crate::{
    domain::{self, ApiVersion, IncidentChanges, IncidentFilter, IncidentId, UserId},
    endpoints::audit_origin,
    services::Incidents,
};

/// Implements the endpoints of incidents.
pub struct IncidentApi {
    pub(super) incidents: Incidents,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
    /// Default server of exports.
    pub(super) public_url: Arc<str>,
}

const PATH: &str = "/v2/admin/incidents";
const GROUPS_PATH: &str = "/v2/admin/incident-groups";

/// The sort order of incidents and groups: newest first.
fn newest_first() -> Sort {
    Sort("-created_at".to_owned())
}

impl IncidentApi {
    /// Retrieves a record for an export, which is written to the audit log.
    async fn export_record(
        &self,
        caller: i64,
        client: Client,
        Path(Id(id)): Path<Id>,
        format: &'static str,
    ) -> Result<IncidentRecord, ProblemResponse> {
        let origin = audit_origin(client, Some(UserId::new(caller)));
        let (_, record) = self.incidents.get(IncidentId::new(id), Some(format), origin).await?;
        Ok(record)
    }
}

/// Returns the record, or an error if its request is incomplete.
fn require_complete(record: IncidentRecord) -> Result<IncidentRecord, ProblemResponse> {
    if not_resendable(&record).is_some() { Err(ErrorCode::IncidentTruncated.into()) } else { Ok(record) }
}

fn download<T: Type + Send>(text: String, id: i64, extension: &str) -> JsonDownload<T> {
    let disposition = format!("attachment; filename=\"incident-{id}.{extension}\"");
    JsonDownload::Ok(SerializedJson::from_text(text.into_bytes()), disposition.into())
}

impl IncidentEndpoints for IncidentApi {
    async fn list(
        &self,
        _: Admin,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(request_id): Query<Option<Token>>,
        Query(operation): Query<Option<Token>>,
        Query(status): Query<Option<i32>>,
        Query(code): Query<Option<Token>>,
        Query(fingerprint): Query<Option<Fingerprint>>,
        Query(resolved): Query<Option<bool>>,
        Query(received_after): Query<Option<Timestamp>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<IncidentPage>, ProblemResponse> {
        let token = |token: Option<Token>| token.map(|Token(token)| token);
        let filter = IncidentFilter {
            request_id: token(request_id),
            operation: token(operation),
            status,
            code: token(code),
            fingerprint: fingerprint.map(|Fingerprint(fingerprint)| fingerprint),
            resolved,
            received_after: received_after.map(|time| domain::Timestamp::from_micros(time.micros())),
            received_until: None,
        };
        let link_query = pages::Query::default()
            .with("request_id", filter.request_id.as_deref())
            .with("operation", filter.operation.as_deref())
            .with("status", status)
            .with("code", filter.code.as_deref())
            .with("fingerprint", filter.fingerprint.as_deref())
            .with("resolved", resolved)
            .with("received_after", received_after);
        let sort = newest_first();
        let request = ListRequest {
            list: "incidents".to_owned(),
            filter,
            sort: Some(&sort),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: false,
        };
        let (query, binding) = request.query(&self.cursors)?;
        let page = self.incidents.list_by_cursor(query).await?;
        let next = pages::next_position(&page, domain::Incident::position)
            .map(|position| self.cursors.encode(&binding, &position));
        let envelope = PageEnvelope::new(PATH, &link_query, request.limit, cursor.as_ref(), next.as_deref(), None);
        let data = page.data.into_iter().map(summary).collect();
        let page = IncidentPage { data, meta: envelope.meta, links: envelope.links };
        pages::page_response(page, envelope.header)
    }

    async fn get(
        &self,
        Admin(caller): Admin,
        client: Client,
        Path(Id(id)): Path<Id>,
        _: IfNoneMatch,
    ) -> Result<Retrieved<Incident>, ProblemResponse> {
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        let (resource, record) = self.incidents.get(IncidentId::new(id), None, origin).await?;
        let (value, etag) = with_etag(resource)?;
        Ok(Retrieved::new(etag, incident(value, record)))
    }

    async fn update(
        &self,
        Admin(caller): Admin,
        client: Client,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
        MergePatch(body): MergePatch<IncidentPatch>,
    ) -> Result<Updated<Incident>, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let changes = IncidentChanges { resolved: body.resolved, fixed_in: body.fixed_in };
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        let (resource, record) = self.incidents.update(IncidentId::new(id), changes, precondition, origin).await?;
        let (value, etag) = with_etag(resource)?;
        Ok(Updated::new(etag, incident(value, record)))
    }

    async fn delete(
        &self,
        Admin(caller): Admin,
        client: Client,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        self.incidents.delete(IncidentId::new(id), precondition, origin).await?;
        Ok(NoContent)
    }

    async fn postman(
        &self,
        Admin(caller): Admin,
        client: Client,
        id: Path<Id>,
    ) -> Result<JsonDownload<PostmanCollection>, ProblemResponse> {
        let record = require_complete(self.export_record(caller.user_id, client, id, "postman").await?)?;
        let collection = export::collection(std::slice::from_ref(&record), &self.public_url);
        Ok(download(collection.json, record.id, "postman_collection.json"))
    }

    async fn curl(&self, Admin(caller): Admin, client: Client, id: Path<Id>) -> Result<ShellCommand, ProblemResponse> {
        let record = require_complete(self.export_record(caller.user_id, client, id, "curl").await?)?;
        Ok(ShellCommand::Ok(ShellScript(export::curl(&record, &self.public_url))))
    }

    async fn har(
        &self,
        Admin(caller): Admin,
        client: Client,
        id: Path<Id>,
    ) -> Result<JsonDownload<HttpArchive>, ProblemResponse> {
        let record = self.export_record(caller.user_id, client, id, "har").await?;
        let text = export::har(std::slice::from_ref(&record), &self.public_url);
        Ok(download(text, record.id, "har"))
    }

    async fn groups(
        &self,
        _: Admin,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(resolved): Query<Option<bool>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<IncidentGroupPage>, ProblemResponse> {
        let sort = newest_first();
        let request = ListRequest {
            list: "incident groups".to_owned(),
            filter: resolved,
            sort: Some(&sort),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: false,
        };
        let (query, binding) = request.query(&self.cursors)?;
        let page = self.incidents.list_groups_by_cursor(query).await?;
        let next = pages::next_position(&page, domain::IncidentGroup::position)
            .map(|position| self.cursors.encode(&binding, &position));
        let link_query = pages::Query::default().with("resolved", resolved);
        let envelope =
            PageEnvelope::new(GROUPS_PATH, &link_query, request.limit, cursor.as_ref(), next.as_deref(), None);
        let data = page.data.into_iter().map(group).collect();
        let page = IncidentGroupPage { data, meta: envelope.meta, links: envelope.links };
        pages::page_response(page, envelope.header)
    }
}

fn summary(incident: domain::Incident) -> IncidentSummary {
    let group = incident.group;
    IncidentSummary {
        id: Id(incident.id.get()),
        request_id: incident.request_id,
        received_at: timestamp(incident.received_at),
        duration_us: incident.duration,
        method: incident.method,
        resolved: group.is_resolved(),
        operation: Nullable(group.operation),
        contract: Nullable(incident.contract.map(|version: ApiVersion| version.as_str().to_owned())),
        status: group.status,
        code: Nullable(group.code),
        fingerprint: group.fingerprint,
        user_id: Nullable(incident.user_id.map(|id| Id(id.get()))),
        server_version: incident.server_version,
        fixed_in: Nullable(group.fixed_in),
        links: Links::Incident(incident.id.get()),
    }
}

fn incident(incident: domain::Incident, record: IncidentRecord) -> Incident {
    let group = incident.group;
    let (request, response) = (record.request, record.response);
    let api_client = record.principal.as_ref().and_then(|principal| principal.api_client.clone());
    Incident {
        id: Id(incident.id.get()),
        request_id: record.request_id,
        trace_id: Nullable(record.trace_id),
        received_at: Timestamp::from_micros(record.received_at),
        duration_us: record.duration,
        operation: Nullable(record.operation),
        contract: Nullable(record.contract.map(|contract| contract.as_str().to_owned())),
        code: Nullable(record.code),
        fingerprint: record.fingerprint,
        resolved: group.is_resolved(),
        site: group.site,
        occurrences: group.occurrences,
        user_id: Nullable(incident.user_id.map(|id| Id(id.get()))),
        session_id: Nullable(record.principal.as_ref().and_then(|principal| principal.session_id).map(Id)),
        role: Nullable(record.principal.as_ref().map(|principal| principal.role.as_str().to_owned())),
        api_client_id: Nullable(api_client.as_ref().map(|client| Id(client.id))),
        scopes: api_client
            .map(|client| client.scopes.iter().filter_map(|scope| api_scope(scope)).collect())
            .unwrap_or_default(),
        server_version: record.server_version,
        fixed_in: Nullable(group.fixed_in),
        placeholders: record.placeholders,
        request: IncidentRequest {
            method: request.method,
            target: request.target,
            headers: headers(request.headers),
            body: body(request.body, request.truncated),
        },
        response: IncidentResponse {
            status: i32::from(response.status),
            headers: headers(response.headers),
            body: body(response.body, response.truncated),
        },
        links: Links::Incident(incident.id.get()),
    }
}

fn api_scope(name: &str) -> Option<ApiScope> {
    match name.parse().ok()? {
        domain::ApiScope::Read => Some(ApiScope::Read),
        domain::ApiScope::Write => Some(ApiScope::Write),
        domain::ApiScope::Admin => Some(ApiScope::Admin),
    }
}

fn group(group: domain::IncidentGroup) -> IncidentGroup {
    IncidentGroup {
        id: Id(group.id.get()),
        resolved: group.is_resolved(),
        resolved_at: Nullable(group.resolved_at().map(timestamp)),
        fingerprint: group.fingerprint,
        operation: Nullable(group.operation),
        status: group.status,
        code: Nullable(group.code),
        site: group.site,
        occurrences: group.occurrences,
        first_seen_at: timestamp(group.first_seen_at),
        last_seen_at: timestamp(group.last_seen_at),
        fixed_in: Nullable(group.fixed_in),
        links: Links::IncidentGroups,
    }
}

fn headers(headers: Vec<(String, String)>) -> Vec<IncidentHeader> {
    headers.into_iter().map(|(name, value)| IncidentHeader { name, value }).collect()
}

fn body(body: CapturedBody, truncated: bool) -> IncidentBody {
    let sha256 = body.sha256();
    match String::from_utf8(body.0) {
        Ok(text) => IncidentBody { text: Nullable(Some(text)), base64: Nullable(None), sha256, truncated },
        Err(error) => {
            let base64 = STANDARD.encode(error.as_bytes());
            IncidentBody { text: Nullable(None), base64: Nullable(Some(base64)), sha256, truncated }
        }
    }
}
