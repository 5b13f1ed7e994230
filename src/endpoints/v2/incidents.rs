//! Failed requests that were kept, for administrators.

use std::sync::Arc;

use ::incidents::{Bytes, Record, export, resend::obstacle};
use base64::{Engine, engine::general_purpose::STANDARD};
use contract::{
    Admin, ErrorCode, Json,
    caller::Client,
    payload::SerializedJson,
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::IncidentEndpoints,
        parameters::{Cursor, Fingerprint, PerPage, Token},
        responses::{self, JsonDownload, NoContent, PageResponse, ShellCommand, ShellScript, Updated},
        schemas::{
            HttpArchive, Incident, IncidentBody, IncidentGroup, IncidentGroupPage, IncidentHeader, IncidentPage,
            IncidentPatch, IncidentRequest, IncidentResponse, IncidentSummary, Links, PostmanCollection,
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
    conditions::header_value,
    cursors::{CursorBinding, CursorPosition},
    pages::{self, PageEnvelope},
};
use crate::{
    db::repositories::incidents::{Filter, Found, GroupRow},
    domain::{CursorQuery, ETag, Keyset, KeysetPosition, UserId},
    endpoints::audit_origin,
    services::{Error, IncidentChanges, Incidents},
};

/// `/v2/admin/incidents` over the failures that were kept.
pub struct IncidentRecords {
    pub(super) incidents: Incidents,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
    /// Where exports send to unless whoever sends names another server.
    pub(super) public_url: Arc<str>,
}

const PATH: &str = "/v2/admin/incidents";
const GROUPS: &str = "/v2/admin/incident-groups";

impl IncidentRecords {
    /// The walk that goes on after a cursor, and what its cursors are bound to.
    fn walk<F: Clone + std::fmt::Debug>(
        &self,
        list: &str,
        filter: F,
        cursor: Option<&Cursor>,
        limit: i64,
    ) -> Result<(CursorQuery<F>, CursorBinding), ProblemResponse> {
        let binding = CursorBinding::new(list, &filter);
        let after: Option<KeysetPosition> = match self.cursors.decode(&binding, cursor)? {
            Some(CursorPosition::After(position)) => Some(position),
            Some(CursorPosition::Offset(_)) => return Err(ErrorCode::InvalidCursor.into()),
            None => None,
        };
        Ok((CursorQuery { filter, keyset: Keyset::newest_first(after, limit), with_total: false }, binding))
    }
}

impl IncidentRecords {
    /// A record that is taken out, which is recorded.
    async fn taken(
        &self,
        caller: i64,
        client: Client,
        Path(Id(id)): Path<Id>,
        purpose: &'static str,
    ) -> Result<Record, ProblemResponse> {
        let (_, record) =
            self.incidents.get(id, Some(purpose), audit_origin(client, Some(UserId::new(caller)))).await?;
        Ok(record)
    }
}

/// A record that can be sent again.
fn whole(record: Record) -> Result<Record, ProblemResponse> {
    if obstacle(&record).is_some() { Err(ErrorCode::IncidentTruncated.into()) } else { Ok(record) }
}

fn exported<T: Type + Send>(text: String, id: i64, ending: &str) -> JsonDownload<T> {
    let disposition = format!("attachment; filename=\"incident-{id}.{ending}\"");
    JsonDownload::Ok(SerializedJson::from_text(text.into_bytes()), disposition.into())
}

impl IncidentEndpoints for IncidentRecords {
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
        let word = |word: Option<Token>| word.map(|Token(word)| word);
        let filter = Filter {
            request_id: word(request_id),
            operation: word(operation),
            status,
            code: word(code),
            fingerprint: fingerprint.map(|Fingerprint(fingerprint)| fingerprint),
            resolved,
            received_after: received_after.map(Timestamp::micros),
            now: 0,
        };
        let query = pages::Query::default()
            .with("request_id", filter.request_id.as_deref())
            .with("operation", filter.operation.as_deref())
            .with("status", status)
            .with("code", filter.code.as_deref())
            .with("fingerprint", filter.fingerprint.as_deref())
            .with("resolved", resolved)
            .with("received_after", received_after);
        let limit = pages::per_page(per_page);
        let (walk, binding) = self.walk("incidents", filter, cursor.as_ref(), limit)?;
        let found = self.incidents.walk(walk).await?;
        let next =
            pages::next_position(&found, |(row, _)| row.position()).map(|end| self.cursors.encode(&binding, &end));
        let frame = PageEnvelope::new(PATH, &query, limit, cursor.as_ref(), next.as_deref(), None);
        let data = found.data.into_iter().map(summary).collect();
        pages::page_response(IncidentPage { data, meta: frame.meta, links: frame.links }, frame.header)
    }

    async fn get(
        &self,
        Admin(caller): Admin,
        client: Client,
        Path(Id(id)): Path<Id>,
        _: IfNoneMatch,
    ) -> Result<responses::Retrieved<Incident>, ProblemResponse> {
        let (found, record) =
            self.incidents.get(id, None, audit_origin(client, Some(UserId::new(caller.user_id)))).await?;
        Ok(responses::Retrieved::new(header_value(&ETag::of(&found).map_err(Error::from)?), incident(found, record)))
    }

    async fn update(
        &self,
        Admin(caller): Admin,
        client: Client,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
        Json(body): Json<IncidentPatch>,
    ) -> Result<Updated<Incident>, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let resolution = IncidentChanges { resolved: body.resolved, fixed_in: body.fixed_in };
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        let (found, record) = self.incidents.resolve(id, resolution, precondition, origin).await?;
        Ok(Updated::new(header_value(&ETag::of(&found).map_err(Error::from)?), incident(found, record)))
    }

    async fn delete(
        &self,
        Admin(caller): Admin,
        client: Client,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        self.incidents.delete(id, precondition, audit_origin(client, Some(UserId::new(caller.user_id)))).await?;
        Ok(NoContent)
    }

    async fn postman(
        &self,
        Admin(caller): Admin,
        client: Client,
        id: Path<Id>,
    ) -> Result<JsonDownload<PostmanCollection>, ProblemResponse> {
        let record = whole(self.taken(caller.user_id, client, id, "postman").await?)?;
        let collection = export::collection(std::slice::from_ref(&record), &self.public_url);
        Ok(exported(collection.text, record.id, "postman_collection.json"))
    }

    async fn curl(&self, Admin(caller): Admin, client: Client, id: Path<Id>) -> Result<ShellCommand, ProblemResponse> {
        let record = whole(self.taken(caller.user_id, client, id, "curl").await?)?;
        Ok(ShellCommand::Ok(ShellScript(export::curl(&record, &self.public_url))))
    }

    async fn har(
        &self,
        Admin(caller): Admin,
        client: Client,
        id: Path<Id>,
    ) -> Result<JsonDownload<HttpArchive>, ProblemResponse> {
        let record = self.taken(caller.user_id, client, id, "har").await?;
        let text = export::har(std::slice::from_ref(&record), &self.public_url);
        Ok(exported(text, record.id, "har"))
    }

    async fn groups(
        &self,
        _: Admin,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(resolved): Query<Option<bool>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<IncidentGroupPage>, ProblemResponse> {
        let limit = pages::per_page(per_page);
        let (walk, binding) = self.walk("incident groups", resolved, cursor.as_ref(), limit)?;
        let found = self.incidents.walk_groups(walk).await?;
        let next = pages::next_position(&found, GroupRow::position).map(|end| self.cursors.encode(&binding, &end));
        let query = pages::Query::default().with("resolved", resolved);
        let frame = PageEnvelope::new(GROUPS, &query, limit, cursor.as_ref(), next.as_deref(), None);
        let data = found.data.into_iter().map(group).collect();
        pages::page_response(IncidentGroupPage { data, meta: frame.meta, links: frame.links }, frame.header)
    }
}

fn summary((row, group): Found) -> IncidentSummary {
    IncidentSummary {
        id: Id(row.id),
        request_id: row.request_id,
        received_at: Timestamp::from_micros(row.created_at),
        duration_us: row.duration,
        method: row.method,
        operation: Nullable(group.operation),
        contract: Nullable(row.contract),
        status: group.status,
        code: Nullable(group.code),
        fingerprint: group.fingerprint,
        user_id: Nullable(row.user_id.map(Id)),
        server_version: row.server_version,
        resolved: group.resolved_at.is_some(),
        fixed_in: Nullable(group.fixed_in),
        links: Links::Incident(row.id),
    }
}

fn incident((row, group): Found, record: Record) -> Incident {
    let (request, response) = (record.request, record.response);
    Incident {
        id: Id(row.id),
        request_id: record.request_id,
        trace_id: Nullable(record.trace_id),
        received_at: Timestamp::from_micros(record.received_at),
        duration_us: record.duration,
        operation: Nullable(record.operation),
        contract: Nullable(record.contract),
        code: Nullable(record.code),
        fingerprint: record.fingerprint,
        site: group.site,
        occurrences: group.occurrences,
        user_id: Nullable(row.user_id.map(Id)),
        session_id: Nullable(record.principal.as_ref().map(|principal| Id(principal.session_id))),
        role: Nullable(record.principal.map(|principal| principal.role)),
        server_version: record.server_version,
        resolved: group.resolved_at.is_some(),
        fixed_in: Nullable(group.fixed_in),
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
        links: Links::Incident(row.id),
    }
}

fn group(row: GroupRow) -> IncidentGroup {
    IncidentGroup {
        id: Id(row.id),
        fingerprint: row.fingerprint,
        operation: Nullable(row.operation),
        status: row.status,
        code: Nullable(row.code),
        site: row.site,
        occurrences: row.occurrences,
        first_seen_at: Timestamp::from_micros(row.created_at),
        last_seen_at: Timestamp::from_micros(row.updated_at),
        resolved: row.resolved_at.is_some(),
        resolved_at: Nullable(row.resolved_at.map(Timestamp::from_micros)),
        fixed_in: Nullable(row.fixed_in),
        links: Links::IncidentGroups,
    }
}

fn headers(headers: Vec<(String, String)>) -> Vec<IncidentHeader> {
    headers.into_iter().map(|(name, value)| IncidentHeader { name, value }).collect()
}

fn body(bytes: Bytes, truncated: bool) -> IncidentBody {
    let sha256 = bytes.sha256();
    match String::from_utf8(bytes.0) {
        Ok(text) => IncidentBody { text: Nullable(Some(text)), base64: Nullable(None), sha256, truncated },
        Err(error) => {
            let base64 = STANDARD.encode(error.as_bytes());
            IncidentBody { text: Nullable(None), base64: Nullable(Some(base64)), sha256, truncated }
        }
    }
}
