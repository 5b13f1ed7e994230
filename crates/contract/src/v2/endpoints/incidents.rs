//! Failed requests that were kept, for administrators.

use endpoints::endpoints;
use poem_openapi::param::{Path, Query};

use super::Tag;
use crate::{
    Admin, ErrorCode, Json, Operation,
    caller::Client,
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        parameters::{Cursor, Fingerprint, Token},
        responses::{JsonDownload, NoContent, PageResponse, Retrieved, ShellCommand, Updated},
        schemas::{HttpArchive, Incident, IncidentGroupPage, IncidentPage, IncidentPatch, PostmanCollection},
    },
    values::{Id, Timestamp},
};

/// Failed requests that were kept, for administrators.
#[endpoints(IncidentRoutes, prefix_path = "/admin", tag = "Tag::Incidents", operation = "Operation")]
pub trait IncidentEndpoints: Send + Sync + 'static {
    /// List the incidents.
    ///
    /// For administrators. Requests that failed, the newest first. Which failures are kept, and for how long, is a setting of the
    /// server: all of status 5xx for 14 days, unless it says otherwise. A request of an administrator with the header
    /// `X-Debug-Capture` is kept whatever comes of it.
    #[oai(path = "/incidents", method = "get", operation_id = "listIncidents")]
    #[operation(errors(&[ErrorCode::InvalidCursor, ErrorCode::InvalidHeader]))]
    async fn list(
        &self,
        caller: Admin,
        /// Where to go on: from `links.next` of the page before. Empty begins.
        cursor: Query<Option<Cursor>>,
        /// How many rows a page has at most: 20 unless given; more than 100 counts as 100.
        #[oai(validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<Option<i32>>,
        /// Only the one of this request: what `X-Request-ID` and the error's body said.
        request_id: Query<Option<Token>>,
        /// Only those of this operation.
        operation: Query<Option<Token>>,
        /// Only those that were answered with this status.
        #[oai(validator(minimum(value = "100"), maximum(value = "599")))]
        status: Query<Option<i32>>,
        /// Only those with this error code.
        code: Query<Option<Token>>,
        /// Only those that are equal to one with this fingerprint.
        fingerprint: Query<Option<Fingerprint>>,
        /// Only those that are said to be fixed, or that are not.
        resolved: Query<Option<bool>>,
        /// Only those that came after this instant.
        received_after: Query<Option<Timestamp>>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<IncidentPage>, ProblemResponse>;

    /// Fetch an incident.
    ///
    /// For administrators. The request as it was sent, and its answer. Secrets were taken out before it was kept: passwords,
    /// tokens, email addresses, whatever nobody has described, and what looks like a secret. Each has a stand-in of the same
    /// length and kind, so that the request still fails as it did; the same secret has the same stand-in.
    #[oai(path = "/incidents/:incident_id", method = "get", operation_id = "getIncident")]
    #[operation(errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentSealed, ErrorCode::InvalidHeader]))]
    async fn get(
        &self,
        caller: Admin,
        client: Client,
        /// The incident.
        incident_id: Path<Id>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<Retrieved<Incident>, ProblemResponse>;

    /// Resolve an incident.
    ///
    /// For administrators. Says of an incident, and of all that are equal to it, that it is fixed, and in which version; or
    /// that it is not. When an equal failure is met again, it is no longer resolved.
    #[oai(path = "/incidents/:incident_id", method = "patch", operation_id = "updateIncident")]
    #[operation(errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentSealed]), conditional())]
    async fn update(
        &self,
        caller: Admin,
        client: Client,
        /// The incident.
        incident_id: Path<Id>,
        /// The tag of the state you mean to change: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        body: Json<IncidentPatch>,
    ) -> Result<Updated<Incident>, ProblemResponse>;

    /// Delete an incident.
    ///
    /// For administrators. Deletes its request and answer, at once and for good. Its group still counts it.
    #[oai(path = "/incidents/:incident_id", method = "delete", operation_id = "deleteIncident")]
    #[operation(errors(&[ErrorCode::IncidentNotFound]), conditional())]
    async fn delete(
        &self,
        caller: Admin,
        client: Client,
        /// The incident.
        incident_id: Path<Id>,
        /// The tag of the state you mean to delete: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse>;

    /// Export an incident for Postman.
    ///
    /// For administrators. A collection (v2.1) that Postman and Newman send octet by octet, as an account that stands for whoever asked:
    /// give it `base_url`, and `email` and `password` (or `admin_email` and `admin_password`). Its tests pass as long as the
    /// failure is the same. A body that no collection can hold is named in it as a file; the incident has it in base64.
    #[oai(path = "/incidents/:incident_id/postman", method = "get", operation_id = "exportIncidentForPostman")]
    #[operation(errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentSealed, ErrorCode::IncidentTruncated]))]
    async fn postman(
        &self,
        caller: Admin,
        client: Client,
        /// The incident.
        incident_id: Path<Id>,
    ) -> Result<JsonDownload<PostmanCollection>, ProblemResponse>;

    /// Export an incident for curl.
    ///
    /// For administrators. One command for a POSIX shell that sends the request octet by octet, to the server that `BASE_URL` names,
    /// with the access token in `TOKEN`.
    #[oai(path = "/incidents/:incident_id/curl", method = "get", operation_id = "exportIncidentForCurl")]
    #[operation(errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentSealed, ErrorCode::IncidentTruncated]))]
    async fn curl(
        &self,
        caller: Admin,
        client: Client,
        /// The incident.
        incident_id: Path<Id>,
    ) -> Result<ShellCommand, ProblemResponse>;

    /// Export an incident as an HTTP archive.
    ///
    /// For administrators. Request and answer as HAR 1.2, for browsers and other tools that read it.
    #[oai(path = "/incidents/:incident_id/har", method = "get", operation_id = "exportIncidentAsHar")]
    #[operation(errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentSealed]))]
    async fn har(
        &self,
        caller: Admin,
        client: Client,
        /// The incident.
        incident_id: Path<Id>,
    ) -> Result<JsonDownload<HttpArchive>, ProblemResponse>;

    /// List the groups of incidents.
    ///
    /// For administrators. Equal failures, how often and when they were met; the group that was met first most recently comes
    /// first.
    #[oai(path = "/incident-groups", method = "get", operation_id = "listIncidentGroups")]
    #[operation(errors(&[ErrorCode::InvalidCursor, ErrorCode::InvalidHeader]))]
    async fn groups(
        &self,
        caller: Admin,
        /// Where to go on: from `links.next` of the page before. Empty begins.
        cursor: Query<Option<Cursor>>,
        /// How many rows a page has at most: 20 unless given; more than 100 counts as 100.
        #[oai(validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<Option<i32>>,
        /// Only those that are said to be fixed, or that are not.
        resolved: Query<Option<bool>>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<IncidentGroupPage>, ProblemResponse>;
}
