//! Captured requests and their responses, for administrators.

use super::*;
use crate::v2::schemas::{
    HttpArchive, Incident, IncidentGroupPage, IncidentGroupResolution, IncidentPage, IncidentPatch, IncidentReplay,
    IncidentReplayCreate, PostmanCollection, ReplayTargetPage, ResolvedIncidentGroups,
};

/// Captured requests and their responses, for administrators.
#[endpoints(IncidentRoutes, prefix_path = "/admin", tag = "Tag::Incidents", operation = "Operation")]
pub trait IncidentEndpoints: Send + Sync + 'static {
    /// List incidents
    ///
    /// Returns captured requests, usually failed ones, newest first. By default, the server captures responses with a status of 5xx and
    /// retains them for 14 days. A request of an administrator with the header `X-Debug-Capture: 1` is always captured. Its response has the
    /// header `X-Debug-Captured: 1`. For administrators only.
    #[oai(path = "/incidents", method = "get", operation_id = "listIncidents")]
    #[operation(returns("A page of incidents."))]
    async fn list(
        &self,
        caller: Admin,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        /// Returns only the incident of the request with this ID (`X-Request-ID`).
        request_id: Query<Option<Token>>,
        /// Returns only incidents of this operation.
        operation: Query<Option<Token>>,
        /// Returns only incidents with this HTTP status.
        #[oai(validator(minimum(value = "100"), maximum(value = "599")))]
        status: Query<Option<i32>>,
        /// Returns only incidents with this error code.
        code: Query<Option<Token>>,
        /// Returns only incidents with this fingerprint.
        fingerprint: Query<Option<Fingerprint>>,
        /// Returns only resolved (`true`) or only unresolved (`false`) incidents. Captured successful requests are neither.
        resolved: Query<Option<bool>>,
        /// Returns only incidents of requests received after this timestamp.
        received_after: Query<Option<Timestamp>>,
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<IncidentPage>>;

    /// Retrieve an incident
    ///
    /// Returns the captured request and response. Passwords, tokens, email addresses, undocumented values and text that looks
    /// like a secret are replaced by placeholders before the incident is stored. For administrators only.
    ///
    /// A placeholder has the length and the kinds of characters of the original, so that the request fails in the same way.
    /// Equal values have equal placeholders.
    #[oai(path = "/incidents/:incident_id", method = "get", operation_id = "getIncident")]
    #[operation(returns("The requested incident."))]
    #[operation(errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentKeyMissing]))]
    async fn get(
        &self,
        caller: Admin,
        client: ClientInfo,
        incident_id: Path<Id>,
        if_none_match: IfNoneMatch,
    ) -> Result<Retrieved<Incident>>;

    /// Update an incident
    ///
    /// Marks the incident and all incidents with the same fingerprint as resolved or unresolved. If the failure occurs again,
    /// they become unresolved. For administrators only.
    #[oai(path = "/incidents/:incident_id", method = "patch", operation_id = "updateIncident")]
    #[operation(returns("The updated incident."))]
    #[operation(errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentKeyMissing]))]
    async fn update(
        &self,
        caller: Admin,
        client: ClientInfo,
        incident_id: Path<Id>,
        if_match: IfMatch,
        body: MergePatch<IncidentPatch>,
    ) -> Result<Updated<Incident>>;

    /// Delete an incident
    ///
    /// Permanently deletes the captured request and response. The incident still counts as an occurrence in
    /// its group. For administrators only.
    #[oai(path = "/incidents/:incident_id", method = "delete", operation_id = "deleteIncident")]
    #[operation(returns("The incident was deleted."), errors(&[ErrorCode::IncidentNotFound]))]
    async fn delete(
        &self,
        caller: Admin,
        client: ClientInfo,
        incident_id: Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent>;

    /// Export an incident as a Postman collection
    ///
    /// Returns a collection (v2.1) that sends the request byte for byte with Postman or Newman. Its tests pass while the
    /// failure still occurs. For administrators only.
    ///
    /// Set the variable `base_url` and the credentials: `email` and `password` or, if an administrator sent the request,
    /// `admin_email` and `admin_password`. If the collection cannot contain the body as text, it refers to a file. Create that
    /// file from the body that `getIncident` returns.
    #[oai(path = "/incidents/:incident_id/postman", method = "get", operation_id = "exportIncidentForPostman")]
    #[operation(returns("The Postman collection."))]
    #[operation(errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentKeyMissing, ErrorCode::IncidentTruncated]))]
    async fn postman(
        &self,
        caller: Admin,
        client: ClientInfo,
        incident_id: Path<Id>,
    ) -> Result<JsonDownload<PostmanCollection>>;

    /// Export an incident as a curl command
    ///
    /// Returns a command for a POSIX shell that sends the request byte for byte. It reads the URL of the server and the
    /// credential from the environment variables `BASE_URL` and `TOKEN`, or `API_KEY` if an API client sent the request. For
    /// administrators only.
    #[oai(path = "/incidents/:incident_id/curl", method = "get", operation_id = "exportIncidentForCurl")]
    #[operation(returns("The curl command."))]
    #[operation(errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentKeyMissing, ErrorCode::IncidentTruncated]))]
    async fn curl(&self, caller: Admin, client: ClientInfo, incident_id: Path<Id>) -> Result<ShellCommandResponse>;

    /// Export an incident as a HAR file
    ///
    /// Returns the captured request and response as an HTTP archive (HAR 1.2). For administrators only.
    #[oai(path = "/incidents/:incident_id/har", method = "get", operation_id = "exportIncidentAsHar")]
    #[operation(returns("The HTTP archive."), errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentKeyMissing]))]
    async fn har(&self, caller: Admin, client: ClientInfo, incident_id: Path<Id>) -> Result<JsonDownload<HttpArchive>>;

    /// Replay an incident
    ///
    /// Sends the captured request to a configured server and compares the response with the captured one. A replay takes at most 25
    /// seconds. For administrators only.
    ///
    /// The request is sent with a temporary account. Requests by administrators are sent with the administrator account that
    /// `REPLAY_TARGETS` configures for the target. The replay creates the resources that the request needs. Resources that the
    /// replay creates are deleted afterwards. The audit log records each replay.
    ///
    /// If the target has the same `JWT_SECRET` as this server, the target sends no email for the replay, and counts it neither as an
    /// occurrence nor as usage.
    #[oai(path = "/incidents/:incident_id/replay", method = "post", operation_id = "replayIncident")]
    #[operation(returns("The result of the replay."))]
    #[operation(errors(&[ErrorCode::IncidentNotFound, ErrorCode::IncidentKeyMissing]))]
    async fn replay(
        &self,
        caller: Admin,
        client: ClientInfo,
        incident_id: Path<Id>,
        body: Json<IncidentReplayCreate>,
    ) -> Result<Json<IncidentReplay>>;

    /// List replay targets
    ///
    /// Returns the servers that incidents can be replayed on, sorted by name. The operator configures them with
    /// `REPLAY_TARGETS`, such as `REPLAY_TARGETS=staging=https://staging.example.com`. In development, the default is this server. For
    /// administrators only.
    #[oai(path = "/replay-targets", method = "get", operation_id = "listReplayTargets")]
    #[operation(returns("A page of servers."))]
    async fn replay_targets(
        &self,
        caller: Admin,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<ReplayTargetPage>>;

    /// List incident groups
    ///
    /// Returns groups of incidents with the same fingerprint. A group counts all occurrences, including those that were not captured.
    /// For administrators only.
    #[oai(path = "/incident-groups", method = "get", operation_id = "listIncidentGroups")]
    #[operation(returns("A page of incident groups."))]
    async fn groups(
        &self,
        caller: Admin,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        /// Sort order: `-first_seen_at`, `first_seen_at`, `-last_seen_at` or `last_seen_at`. Default: `-first_seen_at`. With
        /// `last_seen_at`, a group that occurs again while you paginate can be missing or appear twice.
        sort: Query<Option<IncidentGroupSort>>,
        /// Returns only groups of this operation.
        operation: Query<Option<Token>>,
        /// Returns only groups with this HTTP status.
        #[oai(validator(minimum(value = "100"), maximum(value = "599")))]
        status: Query<Option<i32>>,
        /// Returns only groups with this error code.
        code: Query<Option<Token>>,
        /// Returns only resolved (`true`) or only unresolved (`false`) groups. Groups with the state `captured` are neither.
        resolved: Query<Option<bool>>,
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<IncidentGroupPage>>;

    /// Update incident groups
    ///
    /// Marks all incidents of several groups as resolved or unresolved. For administrators only.
    #[oai(path = "/incident-groups/resolve", method = "post", operation_id = "resolveIncidentGroups")]
    #[operation(returns("The updated groups."))]
    async fn resolve_groups(
        &self,
        caller: Admin,
        client: ClientInfo,
        body: Json<IncidentGroupResolution>,
    ) -> Result<Json<ResolvedIncidentGroups>>;
}
