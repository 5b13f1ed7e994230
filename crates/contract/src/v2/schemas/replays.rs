//! Replays of incidents on configured servers, and changes of several incident groups.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::{IncidentBody, IncidentGroup, some};
use crate::{
    documented_errors::EXAMPLE_REQUEST_ID,
    values::{Id, Nullable},
};

/// A server that incidents can be replayed on, as configured by the operator.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ReplayTarget {
    /// Name of the server.
    #[oai(validator(max_length = 40, pattern = "^[a-z0-9-]+$"))]
    pub name: String,
    /// URL of the server.
    #[oai(validator(max_length = 2048))]
    pub url: String,
}

example! { ReplayTarget { name: "staging".into(), url: "https://staging.example.com".into() } }

/// Options of a replay.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct IncidentReplayCreate {
    /// Name of the server, as returned by `listReplayTargets`.
    #[oai(validator(min_length = 1, max_length = 40, pattern = "^[a-z0-9-]+$"))]
    pub target: String,
}

example! { IncidentReplayCreate { target: "staging".into() } }

/// Result of a replay:
///
/// - `reproduced`: The request fails in the same way.
/// - `fixed`: The response differs from the captured one, has a status below 500, conforms to the OpenAPI document, and is not
///   caused by a placeholder.
/// - `different`: The request fails in another way, or cannot be compared because placeholders can cause the response.
/// - `not_sent`: The request was not sent. `reason` contains the reason.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum IncidentReplayResult {
    /// The request fails in the same way.
    Reproduced,
    /// The response differs from the captured one, has a status below 500, conforms to the OpenAPI document, and is not caused by a
    /// placeholder.
    Fixed,
    /// The request fails in another way, or cannot be compared: placeholders in the request can cause a 4xx.
    Different,
    /// The request was not sent. `reason` contains the reason.
    NotSent,
}

/// Status and error code of a response.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ReplayedResponse {
    /// HTTP status.
    #[oai(validator(minimum(value = "100"), maximum(value = "999")))]
    pub status: i32,
    /// Error code; null if the response has none.
    #[oai(validator(max_length = 200))]
    pub code: Nullable<String>,
}

example! { ReplayedResponse { status: 500, code: some("INTERNAL_ERROR") } }

/// A difference between the captured response and the response of the replay.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ReplayDifference {
    /// `status`, `code`, `body`, or a JSON pointer into the body.
    #[oai(validator(max_length = 1000))]
    pub location: String,
    /// Value in the captured response.
    #[oai(validator(max_length = 1000))]
    pub captured: String,
    /// Value in the response of the replay.
    #[oai(validator(max_length = 1000))]
    pub replayed: String,
}

example! { ReplayDifference { location: "status".into(), captured: "500".into(), replayed: "201".into() } }

/// The result of a replay.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentReplay {
    /// The server.
    pub target: ReplayTarget,
    /// Result of the replay.
    pub result: IncidentReplayResult,
    /// The captured response.
    pub captured: ReplayedResponse,
    /// The response of the replay; null if the request was not sent.
    pub replayed: Nullable<ReplayedResponse>,
    /// `X-Request-ID` of the response of the replay; null if the request was not sent.
    #[oai(validator(max_length = 128))]
    pub replayed_request_id: Nullable<String>,
    /// Body of the response of the replay, with masked data; null if the request was not sent.
    pub replayed_body: Nullable<IncidentBody>,
    /// Differences between the responses, at most 100. IDs, times and other volatile values are not compared.
    #[oai(validator(max_items = 100))]
    pub differences: Vec<ReplayDifference>,
    /// Violations of the OpenAPI document in the replayed response, at most 100.
    #[oai(validator(max_items = 100, max_length = 1000))]
    pub contract_violations: Vec<String>,
    /// Reason why the request was not sent; null if it was sent.
    #[oai(validator(max_length = 1000))]
    pub reason: Nullable<String>,
}

example! { IncidentReplay {
    target: ReplayTarget::example(), result: IncidentReplayResult::Fixed, captured: ReplayedResponse::example(),
    replayed: Nullable(Some(ReplayedResponse { status: 201, code: Nullable(None) })),
    replayed_request_id: some(EXAMPLE_REQUEST_ID), replayed_body: Nullable(Some(IncidentBody::example())),
    differences: vec![ReplayDifference::example()], contract_violations: Vec::new(), reason: Nullable(None),
} }

/// Changes to several incident groups.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct IncidentGroupResolution {
    /// IDs of the groups, at most 100. IDs of groups that do not exist are ignored.
    #[oai(validator(min_items = 1, max_items = 100))]
    pub ids: Vec<Id>,
    /// Whether the failures are resolved. Default: `true`. They become unresolved if they occur again.
    #[serde(default)]
    pub resolved: Option<bool>,
    /// Version that contains the fix, 1 to 100 characters. Ignored if `resolved` is `false`.
    #[serde(default)]
    #[oai(validator(min_length = 1, max_length = 100))]
    pub fixed_in: Option<String>,
}

example! { IncidentGroupResolution { ids: vec![Id(1)], resolved: Some(true), fixed_in: Some("0.2.0".into()) } }

/// The updated incident groups.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ResolvedIncidentGroups {
    /// The groups, by ID.
    #[oai(validator(max_items = 100))]
    pub data: Vec<IncidentGroup>,
}

example! { ResolvedIncidentGroups { data: vec![IncidentGroup::example()] } }
