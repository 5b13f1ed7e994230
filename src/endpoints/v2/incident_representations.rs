//! Representations of incidents, groups and replays.

use ::incidents::{
    CapturedBody, IncidentRecord,
    file::ExpectedResponse,
    replay::{Difference, ReplayOutcome},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use contract::{
    v2::schemas::{
        ApiScope, Incident, IncidentBody, IncidentGroup, IncidentGroupState, IncidentHeader, IncidentReplay,
        IncidentReplayResult, IncidentRequest, IncidentResponse, IncidentSummary, Links, ReplayDifference,
        ReplayTarget, ReplayedResponse,
    },
    values::{Id, Nullable, Timestamp},
};

use super::representations::timestamp;
use crate::{
    domain::{self, ApiVersion, IncidentGroupActivity, IncidentState},
    services,
};

pub(super) fn summary(incident: domain::Incident) -> IncidentSummary {
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

pub(super) fn incident(incident: domain::Incident, record: IncidentRecord) -> Incident {
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

pub(super) fn group((group, activity): (domain::IncidentGroup, IncidentGroupActivity)) -> IncidentGroup {
    IncidentGroup {
        id: Id(group.id.get()),
        resolved: group.is_resolved(),
        resolved_at: Nullable(group.resolved_at().map(timestamp)),
        state: match group.state {
            IncidentState::Open | IncidentState::Regressed { .. } if !is_failure(group.status) => {
                IncidentGroupState::Captured
            }
            IncidentState::Open => IncidentGroupState::Unresolved,
            IncidentState::Resolved { .. } => IncidentGroupState::Resolved,
            IncidentState::Regressed { .. } => IncidentGroupState::Regressed,
        },
        fingerprint: group.fingerprint,
        operation: Nullable(group.operation),
        status: group.status,
        code: Nullable(group.code),
        site: group.site,
        occurrences: group.occurrences,
        incidents: activity.incidents,
        users: activity.users,
        activity: activity.daily,
        first_seen_at: timestamp(group.first_seen_at),
        last_seen_at: timestamp(group.last_seen_at),
        fixed_in: Nullable(group.fixed_in),
        links: Links::IncidentGroups,
    }
}

/// Returns whether a response with this status is a failure. Others are captured at the request of an administrator.
const fn is_failure(status: i32) -> bool {
    status >= 400
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

/// Maximum number of differences and of violations, and maximum length of a value.
const MAX_DIFFERENCES: usize = 100;
const MAX_VALUE: usize = 1_000;
/// Maximum length of the request ID of another server.
const MAX_REQUEST_ID: usize = 128;

pub(super) fn replay_target(target: &services::ReplayTarget) -> ReplayTarget {
    ReplayTarget { name: target.name.clone(), url: target.url.clone() }
}

pub(super) fn replay(target: &services::ReplayTarget, replay: services::Replay) -> IncidentReplay {
    let services::Replay { outcome, response: replayed_response } = replay;
    let (request_id, replayed_body) = match replayed_response {
        Some(response) => (response.request_id, Some(body(response.body, response.is_truncated))),
        None => (None, None),
    };
    let result = match &outcome {
        ReplayOutcome { replayed: None, .. } => IncidentReplayResult::NotSent,
        ReplayOutcome { reproduced: true, .. } => IncidentReplayResult::Reproduced,
        ReplayOutcome { fixed: true, .. } => IncidentReplayResult::Fixed,
        _ => IncidentReplayResult::Different,
    };
    let response = |response: ExpectedResponse| ReplayedResponse {
        status: i32::from(response.status),
        code: Nullable(response.code.map(|code| code.chars().take(200).collect())),
    };
    let difference = |difference: Difference| ReplayDifference {
        location: truncated(difference.location),
        captured: truncated(difference.captured),
        replayed: truncated(difference.replayed),
    };
    IncidentReplay {
        target: replay_target(target),
        result,
        captured: response(outcome.captured),
        replayed: Nullable(outcome.replayed.map(response)),
        replayed_request_id: Nullable(request_id.map(|id| id.chars().take(MAX_REQUEST_ID).collect())),
        replayed_body: Nullable(replayed_body),
        differences: outcome.differences.into_iter().take(MAX_DIFFERENCES).map(difference).collect(),
        contract_violations: outcome.contract_violations.into_iter().take(MAX_DIFFERENCES).map(truncated).collect(),
        reason: Nullable(outcome.not_sent.map(truncated)),
    }
}

fn truncated(text: String) -> String {
    if text.chars().count() <= MAX_VALUE { text } else { text.chars().take(MAX_VALUE - 1).chain(['…']).collect() }
}
