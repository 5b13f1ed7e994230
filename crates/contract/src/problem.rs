//! RFC 9457 problem details: the error body of everything outside `/v1`.

use document::Location;
use poem_openapi::{Object, types::Example};
use serde::Serialize;

use crate::{
    ApiError, Detail, ErrorCode,
    rules::EXAMPLE_REQUEST_ID,
    values::{Nullable, shortened},
};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Where the pages are that explain problems.
pub const PAGES_PATH: &str = "/problems";

/// As the schemas below say it.
const MAX_TEXT: usize = 1000;
const MAX_INSTANCE: usize = 8192;

/// The body of every answer that is not a success (RFC 9457).
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Problem {
    /// What kind of problem: the path of a page of this server that explains it.
    #[oai(rename = "type", validator(max_length = 200))]
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem, in a sentence that is the same for each occurrence.
    #[oai(validator(max_length = 200))]
    pub title: String,
    /// The HTTP status.
    #[oai(validator(minimum(value = "400"), maximum(value = "599")))]
    pub status: i64,
    /// What happened this time and what to do, for people. Do not parse it.
    #[oai(validator(max_length = 1000))]
    pub detail: String,
    /// The path that was asked for.
    #[oai(validator(max_length = 8192))]
    pub instance: String,
    /// Why, for machines; stable, and the same in v1.
    pub code: ErrorCode,
    /// Names the request; quote it when you ask for help.
    #[oai(validator(max_length = 128))]
    pub request_id: String,
    /// After how many seconds to try again, where waiting helps.
    #[oai(validator(minimum(value = "0")))]
    pub retry_after: Nullable<i64>,
    /// Everything that is wrong with the request; empty where nothing in particular is.
    #[oai(validator(max_items = 1000))]
    pub errors: Vec<ProblemError>,
}

/// One thing that is wrong with the request. One of `pointer`, `parameter` and `header` says where; the others are null.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ProblemError {
    /// A JSON pointer into the body (`/items/1/name`); empty for the whole body.
    #[oai(validator(max_length = 1000))]
    pub pointer: Nullable<String>,
    /// The name of a parameter, of the path or of the query.
    #[oai(validator(max_length = 1000))]
    pub parameter: Nullable<String>,
    /// The name of a header.
    #[oai(validator(max_length = 1000))]
    pub header: Nullable<String>,
    /// What kind of wrong, for machines: `TOO_LONG`, `REQUIRED`, `UNKNOWN_FIELD`, …
    #[oai(validator(max_length = 100))]
    pub code: String,
    /// What is wrong, for people.
    #[oai(validator(max_length = 1000))]
    pub detail: String,
}

impl Problem {
    /// The problem that `error` is, at the path `instance`.
    #[must_use]
    pub fn new(error: &ApiError, instance: &str, request_id: &str) -> Self {
        Self {
            kind: page_path(error.code),
            title: error.code.message().to_owned(),
            status: i64::from(error.code.status()),
            detail: shortened(error.message(), MAX_TEXT),
            instance: shortened_path(instance),
            code: error.code,
            request_id: request_id.to_owned(),
            retry_after: Nullable(error.retry_after.map(i64::from)),
            errors: error.details.iter().take(document::MAX_VIOLATIONS).map(ProblemError::new).collect(),
        }
    }

    /// What a problem of this code looks like.
    #[must_use]
    pub fn example_of(code: ErrorCode) -> Self {
        Self::new(&ApiError::example(code), example_instance(code), EXAMPLE_REQUEST_ID)
    }
}

impl ProblemError {
    fn new(detail: &Detail) -> Self {
        let mut error = Self {
            pointer: Nullable(None),
            parameter: Nullable(None),
            header: Nullable(None),
            code: detail.code.to_owned(),
            detail: shortened(&detail.message, MAX_TEXT),
        };
        // Names of fields and parameters are the caller's, and as long as the caller likes.
        let (place, name) = match &detail.location {
            Location::Body(pointer) => (&mut error.pointer, pointer),
            Location::Query(name) | Location::Path(name) => (&mut error.parameter, name),
            Location::Header(name) => (&mut error.header, name),
        };
        *place = Nullable(Some(shortened(name, MAX_TEXT)));
        error
    }
}

/// At most as much of a path as the schema allows. Without an ellipsis and half an escape, so that it is a path still.
fn shortened_path(path: &str) -> String {
    if path.chars().nth(MAX_INSTANCE).is_none() {
        return path.to_owned();
    }
    let mut cut: String = path.chars().take(MAX_INSTANCE).collect();
    if let Some(at) = cut.rfind('%').filter(|at| at + 3 > cut.len()) {
        cut.truncate(at);
    }
    cut
}

/// The page that explains a code: `BUCKETLIST_NOT_FOUND` is at `/problems/bucketlist-not-found`.
#[must_use]
pub fn page_path(code: ErrorCode) -> String {
    format!("{PAGES_PATH}/{}", slug(code))
}

/// The last segment of that page.
#[must_use]
pub fn slug(code: ErrorCode) -> String {
    code.as_str().to_ascii_lowercase().replace('_', "-")
}

/// A path where such a problem happens.
const fn example_instance(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::EmailTaken => "/v2/auth/register",
        ErrorCode::InvalidCredentials => "/v2/auth/login",
        ErrorCode::InvalidRefreshToken => "/v2/auth/refresh",
        ErrorCode::WrongPassword => "/v2/auth/password",
        ErrorCode::InvalidResetToken => "/v2/auth/password-reset/confirm",
        ErrorCode::SessionNotFound => "/v2/auth/sessions/999",
        ErrorCode::Forbidden => "/v2/admin/users",
        ErrorCode::UserNotFound | ErrorCode::LastAdmin => "/v2/admin/users/1",
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
    fn a_problem_always_has_the_same_fields() {
        let problem = serde_json::to_value(Problem::new(&ErrorCode::RouteNotFound.into(), "/nope", "r1")).ok();
        let expected = json!({
            "type": "/problems/route-not-found",
            "title": "There is nothing at this path.",
            "status": 404,
            "detail": "There is nothing at this path.",
            "instance": "/nope",
            "code": "ROUTE_NOT_FOUND",
            "request_id": "r1",
            "retry_after": null,
            "errors": [],
        });
        assert_eq!(problem, Some(expected));
    }

    #[test]
    fn what_is_wrong_has_one_place() {
        let places = [
            (Location::Body("/name".into()), "pointer", "/name"),
            (Location::Body(String::new()), "pointer", ""),
            (Location::Query("q".into()), "parameter", "q"),
            (Location::Path("item_id".into()), "parameter", "item_id"),
            (Location::Header("If-Match".into()), "header", "If-Match"),
        ];
        for (location, field, name) in places {
            let error = serde_json::to_value(ProblemError::new(&detail(location))).unwrap_or_default();
            for place in ["pointer", "parameter", "header"] {
                let expected = if place == field { Value::from(name) } else { Value::Null };
                assert_eq!(error.get(place), Some(&expected), "{error}");
            }
        }
    }

    #[test]
    fn nothing_is_longer_than_the_schema_says() {
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
    fn a_path_is_cut_between_its_escapes() {
        for (end, kept) in [("abc", "ab"), ("%41", ""), ("a%41", "a"), ("ab%41", "ab")] {
            let start = format!("/{}", "x".repeat(MAX_INSTANCE - 3));
            assert_eq!(shortened_path(&format!("{start}{end}")), format!("{start}{kept}"));
        }
        let fits = format!("/{}%41", "x".repeat(MAX_INSTANCE - 4));
        assert_eq!(shortened_path(&fits), fits);
        assert_eq!(shortened_path(&format!("{fits}x")), fits);
    }

    #[test]
    fn serde_and_the_document_spell_it_alike() {
        for code in ErrorCode::ALL {
            let problem = Problem::example_of(*code);
            assert_eq!(serde_json::to_value(&problem).ok(), problem.to_json(), "{}", code.as_str());
        }
    }
}
