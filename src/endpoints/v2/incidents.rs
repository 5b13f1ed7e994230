//! `/v2/admin/incidents` and `/v2/admin/incident-groups`.

use std::sync::Arc;

use ::incidents::{IncidentRecord, export, resend::not_resendable};
use contract::{
    Admin, ApiError, Detail, ErrorCode, Json,
    caller::ClientInfo,
    payload::{MergePatch, SerializedJson},
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::IncidentEndpoints,
        parameters::{Cursor, Fingerprint, IncidentGroupSort, PerPage, Sort, Token},
        responses::{JsonDownload, NoContent, PageResponse, Retrieved, ShellCommand, ShellCommandResponse, Updated},
        schemas::{
            HttpArchive, Incident, IncidentGroupPage, IncidentGroupResolution, IncidentPage, IncidentPatch,
            IncidentReplay, IncidentReplayCreate, PostmanCollection, ReplayTargetPage, ResolvedIncidentGroups,
        },
    },
    values::{Id, Timestamp},
};
use openapi_model::{Location, ViolationCode};
use poem_openapi::{
    param::{Path, Query},
    types::Type,
};

use super::{
    Conditions, Cursors,
    conditions::with_etag,
    incident_representations::{group, incident, replay, replay_target, summary},
    pages::{self, ListRequest, PageEnvelope},
};
use crate::{
    domain::{self, IncidentChanges, IncidentFilter, IncidentGroupFilter, IncidentGroupId, IncidentId, UserId},
    endpoints::audit_origin,
    services::{Incidents, Replays},
};

/// Implements the endpoints of incidents.
pub struct IncidentApi {
    pub(super) incidents: Incidents,
    pub(super) replays: Replays,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
    /// Default server of exports.
    pub(super) public_url: Arc<str>,
}

const PATH: &str = "/v2/admin/incidents";
const GROUPS_PATH: &str = "/v2/admin/incident-groups";
const TARGETS_PATH: &str = "/v2/admin/replay-targets";

/// The sort order of incidents: newest first.
fn newest_first() -> Sort {
    Sort("-created_at".to_owned())
}

impl IncidentApi {
    /// Retrieves a record for an export, which is written to the audit log.
    async fn export_record(
        &self,
        caller: i64,
        client: ClientInfo,
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
        client: ClientInfo,
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
        client: ClientInfo,
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
        client: ClientInfo,
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
        client: ClientInfo,
        id: Path<Id>,
    ) -> Result<JsonDownload<PostmanCollection>, ProblemResponse> {
        let record = require_complete(self.export_record(caller.user_id, client, id, "postman").await?)?;
        let collection = export::collection(std::slice::from_ref(&record), &self.public_url);
        Ok(download(collection.json, record.id, "postman_collection.json"))
    }

    async fn curl(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        id: Path<Id>,
    ) -> Result<ShellCommandResponse, ProblemResponse> {
        let record = require_complete(self.export_record(caller.user_id, client, id, "curl").await?)?;
        Ok(ShellCommandResponse::Ok(ShellCommand(export::curl(&record, &self.public_url))))
    }

    async fn har(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        id: Path<Id>,
    ) -> Result<JsonDownload<HttpArchive>, ProblemResponse> {
        let record = self.export_record(caller.user_id, client, id, "har").await?;
        let text = export::har(std::slice::from_ref(&record), &self.public_url);
        Ok(download(text, record.id, "har"))
    }

    async fn replay(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        Path(Id(id)): Path<Id>,
        Json(body): Json<IncidentReplayCreate>,
    ) -> Result<Json<IncidentReplay>, ProblemResponse> {
        let Some(target) = self.replays.find_target(&body.target) else {
            return Err(unknown_target(&self.replays).into());
        };
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        let outcome = self.replays.replay(IncidentId::new(id), target, origin).await?;
        Ok(Json(replay(target, outcome)))
    }

    async fn replay_targets(
        &self,
        _: Admin,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<ReplayTargetPage>, ProblemResponse> {
        let limit = pages::per_page(per_page);
        let mut all: Vec<_> = self.replays.targets().iter().map(replay_target).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let (page, next) = pages::page_of_all(all, "replay targets", &self.cursors, cursor.as_ref(), limit)?;
        let link_query = pages::Query::default();
        let envelope = PageEnvelope::new(TARGETS_PATH, &link_query, limit, cursor.as_ref(), next.as_deref(), None);
        let page = ReplayTargetPage { data: page.data, meta: envelope.meta, links: envelope.links };
        pages::page_response(page, envelope.header)
    }

    async fn groups(
        &self,
        _: Admin,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(sort): Query<Option<IncidentGroupSort>>,
        Query(operation): Query<Option<Token>>,
        Query(status): Query<Option<i32>>,
        Query(code): Query<Option<Token>>,
        Query(resolved): Query<Option<bool>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<IncidentGroupPage>, ProblemResponse> {
        let token = |token: Option<Token>| token.map(|Token(token)| token);
        let filter = IncidentGroupFilter { operation: token(operation), status, code: token(code), resolved };
        let link_query = pages::Query::default()
            .with("sort", sort.as_ref().map(|IncidentGroupSort(sort)| sort))
            .with("operation", filter.operation.as_deref())
            .with("status", status)
            .with("code", filter.code.as_deref())
            .with("resolved", resolved);
        let column = match sort.as_ref().map(|IncidentGroupSort(sort)| sort.as_str()) {
            Some("last_seen_at") => "updated_at",
            Some("-last_seen_at") => "-updated_at",
            Some("first_seen_at") => "created_at",
            // The pattern of the parameter allows no other values.
            _ => "-created_at",
        };
        let column = Sort(column.to_owned());
        let request = ListRequest {
            list: "incident groups".to_owned(),
            filter,
            sort: Some(&column),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: false,
        };
        let (query, binding) = request.query(&self.cursors)?;
        let sort_key = query.keyset.sort;
        let page = self.incidents.list_groups_by_cursor(query).await?;
        let next = pages::next_position(&page, |(group, _)| group.position(sort_key))
            .map(|position| self.cursors.encode(&binding, &position));
        let envelope =
            PageEnvelope::new(GROUPS_PATH, &link_query, request.limit, cursor.as_ref(), next.as_deref(), None);
        let data = page.data.into_iter().map(group).collect();
        let page = IncidentGroupPage { data, meta: envelope.meta, links: envelope.links };
        pages::page_response(page, envelope.header)
    }

    async fn resolve_groups(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        Json(body): Json<IncidentGroupResolution>,
    ) -> Result<Json<ResolvedIncidentGroups>, ProblemResponse> {
        let ids = body.ids.into_iter().map(|Id(id)| IncidentGroupId::new(id)).collect();
        let changes = IncidentChanges { resolved: Some(body.resolved.unwrap_or(true)), fixed_in: body.fixed_in };
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        let updated = self.incidents.update_groups(ids, changes, origin).await?;
        Ok(Json(ResolvedIncidentGroups { data: updated.into_iter().map(group).collect() }))
    }
}

/// Returns the error for a server that is not configured, with the names of those that are.
fn unknown_target(replays: &Replays) -> ApiError {
    let names: Vec<&str> = replays.targets().iter().map(|target| target.name.as_str()).collect();
    let message = match names.as_slice() {
        [] => "is unknown: no server is configured in REPLAY_TARGETS".to_owned(),
        names => format!("is not one of the configured servers: {}", names.join(", ")),
    };
    let code = ViolationCode::NotAllowed.as_str();
    let detail = Detail { location: Location::Body("/target".to_owned()), code, message };
    ApiError { details: vec![detail], ..ApiError::new(ErrorCode::ValidationFailed) }
}
