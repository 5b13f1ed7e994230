//! Responses, which are checked against the OpenAPI document before a test sees them.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    sync::LazyLock,
};

use contract::{v1, v2};
use openapi_model::Coverage;
use poem::{
    Response,
    http::{Method, StatusCode},
};
use serde_json::Value;

/// A response whose status the test has not asserted yet.
#[must_use = "assert the status, or call `any_status`"]
#[derive(Clone, Debug)]
pub struct UncheckedResponse(pub TestResponse);

impl UncheckedResponse {
    /// Returns the response after asserting its status.
    #[track_caller]
    pub fn expect(self, status: u16) -> TestResponse {
        self.0.expect(status)
    }

    /// Returns the response after asserting its status and error code.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> TestResponse {
        self.0.expect_error(status, code)
    }

    /// Returns the response without asserting its status.
    pub fn any_status(self) -> TestResponse {
        self.0
    }
}

/// A response with its complete body.
#[derive(Clone, Debug)]
pub struct TestResponse {
    pub method: Method,
    pub path: String,
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// The file to which `make coverage-contract` records the responses of all tests.
static RECORD: LazyLock<Option<File>> = LazyLock::new(|| {
    let path = std::env::var_os("CONTRACT_COVERAGE").filter(|path| !path.is_empty())?;
    let file = OpenOptions::new().append(true).create(true).open(&path);
    Some(file.unwrap_or_else(|error| panic!("cannot open the file in CONTRACT_COVERAGE, {path:?}: {error}")))
});

/// Appends a line to the record in a single write, so that lines of concurrent tests do not interleave.
fn record(line: &str) {
    if let Some(mut file) = RECORD.as_ref() {
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Headers of every response.
const ALWAYS: [&str; 12] = [
    "x-request-id",
    "x-response-time",
    "cache-control",
    "vary",
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "cross-origin-embedder-policy",
    "x-permitted-cross-domain-policies",
];

impl TestResponse {
    pub async fn read(method: Method, path: String, response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let mut headers = BTreeMap::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            // The server combines lists into one header line: a repeated name is a header that was set twice.
            let earlier = headers.insert(name.as_str().to_owned(), value);
            assert!(earlier.is_none(), "repeated header {name}: {method} {path}: {:?}", parts.headers);
        }
        let response =
            Self { method, path, status: parts.status.as_u16(), headers, body: body.into_vec().await.unwrap() };
        response.check();
        response
    }

    /// Fails the test if the response does not conform to the document.
    fn check(&self) {
        for name in ALWAYS {
            assert!(self.headers.contains_key(name), "{name} is missing: {self:?}");
        }
        assert!(!self.headers.contains_key("server"), "{self:?}");
        self.check_length();
        let path = self.path.split('?').next().unwrap_or_default();
        // `Content-Version` names the version that served an unversioned path.
        let path = &match self.headers.get("content-version") {
            Some(version) => format!("/v{version}{path}"),
            None => path.to_owned(),
        };
        let is_below =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let is_v1 = is_below("/v1");
        let found = v1::contract().find(path).or_else(|| v2::contract().find(path));
        let operation = found.and_then(|found| found.item.operation(self.method.as_str()));
        match operation {
            // A response without a body has no schema to check.
            Some(_) if self.method == Method::HEAD => assert!(self.body.is_empty(), "{self:?}"),
            // Tests that request compression decode and check the body themselves.
            Some(_) if self.headers.contains_key("content-encoding") => {}
            Some(operation) => {
                let headers: Vec<(String, String)> =
                    self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                let drift = operation.check_response(self.status, &headers, &self.body);
                assert!(drift.is_empty(), "{} {}: {drift:#?}\n{self:?}", operation.id, self.status);
                record(&Coverage::record_line(
                    operation,
                    self.status,
                    self.headers.get("content-type").map(String::as_str),
                ));
            }
            None if self.status >= 400 && is_v1 => {
                let error = &self.json()["error"];
                assert!(error["code"].is_string() && error["request_id"].is_string(), "{self:?}");
                assert_eq!(self.header("content-type"), "application/json");
            }
            // The page for browsers.
            None if self.headers.get("content-type").is_some_and(|kind| kind.starts_with("text/html")) => {
                assert!([200, 304, 404].contains(&self.status), "{self:?}");
            }
            None if self.status >= 400 => {
                let problem = self.json();
                assert_eq!(problem["status"], self.status, "{self:?}");
                assert!(problem["code"].is_string() && problem["type"].is_string(), "{self:?}");
                assert_eq!(self.header("content-type"), "application/problem+json");
            }
            // CORS answers OPTIONS for every path.
            None if (is_v1 || is_below("/v2")) && self.method != Method::OPTIONS => {
                panic!("undocumented operation: {} {path} returned {}", self.method, self.status)
            }
            None => {}
        }
    }

    /// Only streams may omit `Content-Length`: compression depends on it, and responses to HEAD contain it.
    fn check_length(&self) {
        let is_stream =
            |kind: &String| ["text/csv", "application/x-ndjson"].iter().any(|stream| kind.starts_with(stream));
        let may_be_unknown = self.headers.contains_key("content-encoding")
            || self.headers.get("content-type").is_none_or(is_stream)
            || self.path.ends_with("/content");
        match self.headers.get("content-length") {
            None => assert!(may_be_unknown, "missing Content-Length: {} {}", self.method, self.path),
            Some(_) if self.method == Method::HEAD => {}
            Some(length) => assert_eq!(length, &self.body.len().to_string(), "{} {}", self.method, self.path),
        }
    }

    /// Returns the response after asserting its status.
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{} {}\n{text}", self.method, self.path);
        self
    }

    /// Returns the response after asserting its status and error code.
    #[track_caller]
    fn expect_error(self, status: u16, code: &str) -> Self {
        let response = self.expect(status);
        assert_eq!(
            response.code(),
            code,
            "{} {}\n{}",
            response.method,
            response.path,
            String::from_utf8_lossy(&response.body)
        );
        response
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("invalid JSON ({error}): {self:?}"))
    }

    /// Returns the error code of a v1 or v2 error.
    #[track_caller]
    pub fn code(&self) -> String {
        let body = self.json();
        let code = body["error"]["code"].as_str().or_else(|| body["code"].as_str());
        code.unwrap_or_else(|| panic!("no error code: {body}")).to_owned()
    }

    /// Returns the location and the code of every error detail, in either format. v1 puts every location in `field`; a
    /// problem response uses a field for each kind of location.
    #[track_caller]
    pub fn details(&self) -> Vec<(String, String)> {
        let body = self.json();
        let details = body["error"]["details"].as_array().or_else(|| body["errors"].as_array());
        let details = details.unwrap_or_else(|| panic!("no details: {body}"));
        let location = |detail: &Value| {
            let locations = ["field", "pointer", "parameter", "header"].map(|name| detail[name].as_str());
            let mut locations = locations.into_iter().flatten();
            let location = locations.next().unwrap_or_else(|| panic!("no location: {detail}")).to_owned();
            assert!(locations.next().is_none(), "several locations: {detail}");
            location
        };
        details.iter().map(|detail| (location(detail), detail["code"].as_str().unwrap().to_owned())).collect()
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}: {self:?}"))
    }

    /// Returns status, headers and body without the request id and the response time, to compare equivalent requests.
    pub fn comparable(&self) -> (u16, BTreeMap<String, String>, String) {
        let mut headers = self.headers.clone();
        let request_id = headers.remove("x-request-id").unwrap_or_default();
        headers.remove("x-response-time");
        (self.status, headers, String::from_utf8_lossy(&self.body).replace(&request_id, ""))
    }

    pub fn is_success(&self) -> bool {
        StatusCode::from_u16(self.status).is_ok_and(|status| status.is_success())
    }
}

mod tests {
    use poem::{Response, http::Method};

    use super::{ALWAYS, TestResponse};

    /// Returns a response with every required header.
    fn response() -> Response {
        let mut response = Response::builder().header("content-length", 0).finish();
        for name in ALWAYS {
            response.headers_mut().insert(name, "x".parse().unwrap());
        }
        response
    }

    async fn read(path: &str, response: Response) -> TestResponse {
        TestResponse::read(Method::GET, path.to_owned(), response).await
    }

    #[tokio::test]
    async fn response_outside_the_documents_is_accepted() {
        assert_eq!(read("/health/live", response()).await.status, 200);
    }

    #[tokio::test]
    #[should_panic(expected = "repeated header vary")]
    async fn repeated_header_is_detected() {
        let mut response = response();
        response.headers_mut().append("vary", "accept".parse().unwrap());
        read("/health/live", response).await;
    }

    #[tokio::test]
    #[should_panic(expected = "undocumented operation: GET /v1/unknown returned 200")]
    async fn undocumented_success_in_v1_is_detected() {
        read("/v1/unknown", response()).await;
    }

    #[tokio::test]
    #[should_panic(expected = "undocumented operation: GET /v2/unknown returned 200")]
    async fn undocumented_success_in_v2_is_detected() {
        read("/v2/unknown", response()).await;
    }
}
