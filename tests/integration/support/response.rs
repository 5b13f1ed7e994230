//! An answer; checked against the document before a test sees it.

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

/// An answer whose status nobody has looked at yet.
#[must_use = "say which status it must have"]
#[derive(Clone, Debug)]
pub struct UncheckedResponse(pub TestResponse);

impl UncheckedResponse {
    /// The response, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> TestResponse {
        self.0.expect(status)
    }

    /// The response, if it is an error of this code.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> TestResponse {
        self.0.expect_error(status, code)
    }

    /// The response, whatever it is.
    pub fn any(self) -> TestResponse {
        self.0
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct TestResponse {
    pub method: Method,
    pub path: String,
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// The record of the answers that were seen, where `make coverage-contract` wants one.
static RECORD: LazyLock<Option<File>> = LazyLock::new(|| {
    let path = std::env::var_os("CONTRACT_COVERAGE").filter(|path| !path.is_empty())?;
    let file = OpenOptions::new().append(true).create(true).open(&path);
    Some(file.unwrap_or_else(|error| panic!("CONTRACT_COVERAGE names {path:?}, which cannot be written: {error}")))
});

/// Adds a line to the record: in one write at the end of the file, so that processes and threads do not mix theirs.
fn record(line: &str) {
    if let Some(mut file) = RECORD.as_ref() {
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// On every answer, whatever was asked.
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
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let response = Self {
            method,
            path,
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body: body.into_vec().await.unwrap(),
        };
        response.check();
        response
    }

    /// Fails the test when the document does not say this of the answer.
    fn check(&self) {
        for name in ALWAYS {
            assert!(self.headers.contains_key(name), "{name} is missing: {self:?}");
        }
        assert!(!self.headers.contains_key("server"), "{self:?}");
        self.check_length();
        let path = self.path.split('?').next().unwrap_or_default();
        // A path without a version was led to the one that answered.
        let path = &match self.headers.get("content-version") {
            Some(version) => format!("/v{version}{path}"),
            None => path.to_owned(),
        };
        let is_v1 = path == "/v1" || path.starts_with("/v1/");
        let found = v1::contract().find(path).or_else(|| v2::contract().find(path));
        let operation = found.and_then(|found| found.item.operation(self.method.as_str()));
        match operation {
            // Without a body there is nothing to check it by.
            Some(_) if self.method == Method::HEAD => assert!(self.body.is_empty(), "{self:?}"),
            // What is compressed is checked by the test that asked for it.
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
            None if self.status >= 400 => {
                let problem = self.json();
                assert_eq!(problem["status"], self.status, "{self:?}");
                assert!(problem["code"].is_string() && problem["type"].is_string(), "{self:?}");
                assert_eq!(self.header("content-type"), "application/problem+json");
            }
            None => {}
        }
    }

    /// What is no stream says how long it is: whoever decides on compression must know, and HEAD says it, too.
    fn check_length(&self) {
        let is_stream =
            |kind: &String| ["text/csv", "application/x-ndjson"].iter().any(|stream| kind.starts_with(stream));
        let may_be_unknown = self.headers.contains_key("content-encoding")
            || self.headers.get("content-type").is_none_or(is_stream)
            || self.path.ends_with("/content");
        match self.headers.get("content-length") {
            None => assert!(may_be_unknown, "no length: {} {}", self.method, self.path),
            Some(_) if self.method == Method::HEAD => {}
            Some(length) => assert_eq!(length, &self.body.len().to_string(), "{} {}", self.method, self.path),
        }
    }

    /// The response, if it has this status.
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{} {}\n{text}", self.method, self.path);
        self
    }

    /// The response, if it is an error of this code.
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
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The code of an error, whichever shape it has.
    #[track_caller]
    pub fn code(&self) -> String {
        let body = self.json();
        let code = body["error"]["code"].as_str().or_else(|| body["code"].as_str());
        code.unwrap_or_else(|| panic!("no error code: {body}")).to_owned()
    }

    /// Place and code of everything that is wrong, whichever shape lists it. A v1 envelope has one field for all places, a
    /// problem one for each kind of them.
    #[track_caller]
    pub fn details(&self) -> Vec<(String, String)> {
        let body = self.json();
        let details = body["error"]["details"].as_array().or_else(|| body["errors"].as_array());
        let details = details.unwrap_or_else(|| panic!("no details: {body}"));
        let place = |detail: &Value| {
            let places = ["field", "pointer", "parameter", "header"].map(|name| detail[name].as_str());
            let mut places = places.into_iter().flatten();
            let place = places.next().unwrap_or_else(|| panic!("no place: {detail}")).to_owned();
            assert!(places.next().is_none(), "one place: {detail}");
            place
        };
        details.iter().map(|detail| (place(detail), detail["code"].as_str().unwrap().to_owned())).collect()
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}: {self:?}"))
    }

    /// All of an answer but what names the request and says how long it took: what is the same for every request like it.
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
