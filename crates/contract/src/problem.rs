//! Problem details (RFC 9457): the error body for all paths except `/v1`.

use std::fmt;

use openapi_model::Location;
use poem::http::StatusCode;
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::{Example, Type},
};
use serde::Serialize;

use crate::{
    ApiError, Detail, ErrorCode, ViolationInfo, base_path,
    documented_errors::EXAMPLE_REQUEST_ID,
    error::MAX_DETAILS,
    values::{Nullable, truncate},
};

/// Media type of problem details.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Path of the pages that explain error codes.
pub const PAGES_PATH: &str = "/problems";

/// Maximum lengths in the schemas below.
const MAX_TEXT: usize = 1000;
const MAX_INSTANCE: usize = 8192;

/// The body of an error response (RFC 9457).
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Problem {
    /// Path of a page on this server that explains the error.
    #[oai(rename = "type", validator(max_length = 200))]
    #[serde(rename = "type", serialize_with = "base_path::serialize")]
    pub kind: String,
    /// Summary of the error, the same for every occurrence of a code.
    #[oai(validator(max_length = 200))]
    pub title: String,
    /// HTTP status.
    #[oai(validator(minimum(value = "400"), maximum(value = "599")))]
    pub status: i64,
    /// Human-readable explanation of this occurrence. It can change; do not parse it.
    #[oai(validator(max_length = 1000))]
    pub detail: String,
    /// Path of the request.
    #[oai(validator(max_length = 8192))]
    #[serde(serialize_with = "base_path::serialize")]
    pub instance: String,
    /// Machine-readable error code. Codes do not change and are the same in all versions.
    pub code: ErrorCode,
    /// Request ID. Include it in support requests.
    #[oai(validator(max_length = 128))]
    pub request_id: String,
    /// Seconds to wait before retrying; null if waiting does not help.
    #[oai(validator(minimum(value = "0")))]
    pub retry_after: Nullable<i64>,
    /// Violations in the request, at most 1,000; empty for other errors.
    #[oai(validator(max_items = 1000))]
    pub errors: Vec<ProblemError>,
}

/// One violation in a request. Exactly one of `pointer`, `parameter` and `header` contains its location; the others are null.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ProblemError {
    /// JSON pointer into the body (`/items/1/name`); empty for the whole body.
    #[oai(validator(max_length = 1000))]
    pub pointer: Nullable<String>,
    /// Name of the path or query parameter.
    #[oai(validator(max_length = 1000))]
    pub parameter: Nullable<String>,
    /// Name of the header.
    #[oai(validator(max_length = 1000))]
    pub header: Nullable<String>,
    /// Machine-readable code of the violated rule.
    #[oai(validator(max_length = 100))]
    pub code: String,
    /// Human-readable message without its subject, for example `must not be empty`.
    #[oai(validator(max_length = 1000))]
    pub detail: String,
}

impl Problem {
    /// Creates the problem details of an error in a request for the path `instance`.
    #[must_use]
    pub fn new(error: &ApiError, instance: &str, request_id: &str) -> Self {
        Self {
            kind: page_path(error.code),
            title: error.code.title(),
            status: i64::from(error.code.status()),
            detail: truncate(error.message(), MAX_TEXT),
            instance: truncate_path(instance),
            code: error.code,
            request_id: request_id.to_owned(),
            retry_after: Nullable(error.retry_after.map(i64::from)),
            errors: error.details.iter().take(MAX_DETAILS).map(ProblemError::new).collect(),
        }
    }

    /// Creates an example with this code.
    #[must_use]
    pub fn example_of(code: ErrorCode) -> Self {
        Self::new(&ApiError::example(code), example_instance(code), EXAMPLE_REQUEST_ID)
    }
}

impl ProblemError {
    fn new(detail: &Detail) -> Self {
        debug_assert!(ViolationInfo::find(detail.code).is_some(), "undocumented code {}", detail.code);
        let mut error = Self {
            pointer: Nullable(None),
            parameter: Nullable(None),
            header: Nullable(None),
            code: detail.code.to_owned(),
            detail: truncate(&detail.message, MAX_TEXT),
        };
        // The names of fields and parameters come from the client and can have any length.
        let (field, name) = match &detail.location {
            Location::Body(pointer) => (&mut error.pointer, pointer),
            Location::Query(name) | Location::Path(name) => (&mut error.parameter, name),
            Location::Header(name) => (&mut error.header, name),
        };
        *field = Nullable(Some(truncate(name, MAX_TEXT)));
        error
    }
}

/// An [`ApiError`] with a [`Problem`] as its body.
#[derive(Debug)]
pub struct ProblemResponse(pub ApiError);

impl<E: Into<ApiError>> From<E> for ProblemResponse {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<ProblemResponse> for poem::Error {
    fn from(response: ProblemResponse) -> Self {
        response.0.into()
    }
}

impl fmt::Display for ProblemResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Like [`ApiError`], declares one status, so that poem-openapi registers the schema.
impl ApiResponse for ProblemResponse {
    fn meta() -> MetaResponses {
        let internal = MetaResponse {
            description: ErrorCode::InternalError.message(),
            status: Some(StatusCode::INTERNAL_SERVER_ERROR.as_u16()),
            status_range: None,
            content: vec![MetaMediaType { content_type: MEDIA_TYPE, schema: Problem::schema_ref() }],
            headers: vec![],
        };
        MetaResponses { responses: vec![internal] }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

/// Truncates a path to the length that the schema allows after the base path, without splitting a percent-encoded byte.
fn truncate_path(path: &str) -> String {
    let max = MAX_INSTANCE.saturating_sub(base_path::current_length());
    if path.chars().nth(max).is_none() {
        return path.to_owned();
    }
    let mut truncated: String = path.chars().take(max).collect();
    if let Some(at) = truncated.rfind('%').filter(|at| at + 3 > truncated.len()) {
        truncated.truncate(at);
    }
    truncated
}

/// Returns the path of the page that explains a code: `/problems/bucketlist-not-found` for `BUCKETLIST_NOT_FOUND`.
#[must_use]
pub fn page_path(code: ErrorCode) -> String {
    format!("{PAGES_PATH}/{}", slug(code))
}

/// Returns the path of the page that explains a violation code: `/problems/too-long` for `TOO_LONG`.
#[must_use]
pub fn violation_page_path(violation: &ViolationInfo) -> String {
    format!("{PAGES_PATH}/{}", segment(violation.code))
}

/// Returns the last segment of the path of the page of an error code.
#[must_use]
pub fn slug(code: ErrorCode) -> String {
    segment(code.as_str())
}

fn segment(code: &str) -> String {
    code.to_ascii_lowercase().replace('_', "-")
}

/// Returns a path of a request that can fail with this code.
const fn example_instance(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::EmailTaken => "/v2/auth/register",
        ErrorCode::InvalidCredentials => "/v2/auth/login",
        ErrorCode::InvalidRefreshToken => "/v2/auth/refresh",
        ErrorCode::WrongPassword => "/v2/auth/password",
        ErrorCode::InvalidResetToken => "/v2/auth/password-reset/confirm",
        ErrorCode::SessionNotFound => "/v2/auth/sessions/999",
        ErrorCode::Forbidden => "/v2/admin/users",
        ErrorCode::LastAdmin => "/v2/admin/users/1",
        ErrorCode::UserNotFound => "/v2/admin/users/999",
        ErrorCode::ExportNotFound => "/v2/exports/999",
        ErrorCode::ExportNotReady => "/v2/exports/1/content",
        ErrorCode::IncidentNotFound | ErrorCode::IncidentKeyMissing => "/v2/admin/incidents/999",
        ErrorCode::IncidentTruncated => "/v2/admin/incidents/999/curl",
        ErrorCode::ApiClientNotFound => "/v2/admin/api-clients/999",
        ErrorCode::JobNotFound => "/v2/admin/jobs/999",
        ErrorCode::JobStateConflict => "/v2/admin/jobs/999/retry",
        ErrorCode::JobScheduleNotFound => "/v2/admin/schedules/unknown/run",
        ErrorCode::JobScheduleRunning => "/v2/admin/schedules/purge/run",
        ErrorCode::ProfilingDisabled | ErrorCode::ProfileInProgress => "/v2/admin/profile",
        ErrorCode::BucketlistNotFound => "/v2/bucketlists/999",
        ErrorCode::ItemNotFound => "/v2/bucketlists/1/items/999",
        ErrorCode::InvalidHeader | ErrorCode::PreconditionFailed | ErrorCode::PreconditionRequired => {
            "/v2/bucketlists/1"
        }
        ErrorCode::RouteNotFound => "/v2/bucketlist",
        ErrorCode::UnsupportedVersion => "/bucketlists",
        _ => "/v2/bucketlists",
    }
}

impl Example for Problem {
    fn example() -> Self {
        Self::example_of(ErrorCode::ValidationFailed)
    }
}

impl Example for ProblemError {
    fn example() -> Self {
        Self {
            pointer: Nullable(Some("/name".into())),
            parameter: Nullable(None),
            header: Nullable(None),
            code: "TOO_LONG".into(),
            detail: "must have at most 100 characters".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ToJSON;
    use serde_json::{Value, json};

    use super::*;

    fn detail(location: Location) -> Detail {
        Detail { location, code: "TOO_LONG", message: "is too long".into() }
    }

    #[test]
    fn problem_always_has_the_same_fields() {
        let problem = serde_json::to_value(Problem::new(&ErrorCode::RouteNotFound.into(), "/nope", "r1")).ok();
        let expected = json!({
            "type": "/problems/route-not-found",
            "title": "Route not found",
            "status": 404,
            "detail": "This path does not exist.",
            "instance": "/nope",
            "code": "ROUTE_NOT_FOUND",
            "request_id": "r1",
            "retry_after": null,
            "errors": [],
        });
        assert_eq!(problem, Some(expected));
    }

    #[test]
    fn violation_has_exactly_one_location() {
        let locations = [
            (Location::Body("/name".into()), "pointer", "/name"),
            (Location::Body(String::new()), "pointer", ""),
            (Location::Query("q".into()), "parameter", "q"),
            (Location::Path("item_id".into()), "parameter", "item_id"),
            (Location::Header("If-Match".into()), "header", "If-Match"),
        ];
        for (location, field, name) in locations {
            let error = serde_json::to_value(ProblemError::new(&detail(location))).unwrap_or_default();
            for key in ["pointer", "parameter", "header"] {
                let expected = if key == field { Value::from(name) } else { Value::Null };
                assert_eq!(error.get(key), Some(&expected), "{error}");
            }
        }
    }

    #[test]
    fn texts_are_truncated_to_the_length_in_the_schema() {
        let long = "ä".repeat(2000);
        let mut error = ApiError::new(ErrorCode::ValidationFailed).with_message(&long);
        error.details = vec![Detail { message: long.clone(), ..detail(Location::Body(long)) }; 1001];
        let problem = Problem::new(&error, "/", "r1");
        assert_eq!((problem.detail.chars().count(), problem.errors.len()), (1000, 1000));
        let error = &problem.errors[0];
        assert_eq!(error.pointer.0.as_ref().map(|pointer| pointer.chars().count()), Some(1000));
        assert!(error.detail.chars().count() == 1000 && error.detail.ends_with('…'));
        for code in ErrorCode::ALL {
            assert!(page_path(*code).len() <= 200 && code.message().len() <= 200, "{}", code.as_str());
        }
    }

    #[test]
    fn truncated_path_has_complete_percent_encoding() {
        for (end, expected) in [("abc", "ab"), ("%41", ""), ("a%41", "a"), ("ab%41", "ab")] {
            let start = format!("/{}", "x".repeat(MAX_INSTANCE - 3));
            assert_eq!(truncate_path(&format!("{start}{end}")), format!("{start}{expected}"));
        }
        let fits = format!("/{}%41", "x".repeat(MAX_INSTANCE - 4));
        assert_eq!(truncate_path(&fits), fits);
        assert_eq!(truncate_path(&format!("{fits}x")), fits);
    }

    #[test]
    fn serde_and_poem_openapi_produce_the_same_json() {
        for code in ErrorCode::ALL {
            let problem = Problem::example_of(*code);
            assert_eq!(serde_json::to_value(&problem).ok(), problem.to_json(), "{}", code.as_str());
        }
    }
}
