//! `/problems`, and a page for each error code with its description, causes, remedy and examples, and for each violation code. The `type` of problem
//! details refers to these pages.

use contract::{
    ApiError, ErrorCode, ViolationInfo,
    problem::{self, Problem},
    v1::{
        document::BASE,
        schemas::{EXAMPLE_REQUEST_ID, ErrorEnvelope},
    },
};
use http::StatusCode;
use serde::Serialize;

use super::PageInfo;
use super::assets::Asset;
use super::layout;
use super::template::{escape_html, fill};

/// Returns the list of all error codes, grouped by status, and of the violation codes.
pub(super) fn index(info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let statuses: Vec<String> =
        ErrorCode::ALL.chunk_by(|one, next| one.status() == next.status()).map(status_section).collect();
    fill(
        include_str!("assets/problems.html"),
        &[
            ("head", &layout::head(assets)),
            ("header", &layout::header(info, problem::PAGES_PATH, "")),
            ("index", problem::PAGES_PATH),
            ("count", &ErrorCode::ALL.len().to_string()),
            ("statuses", &statuses.join("\n    ")),
            ("violations", &violation_section()),
        ],
    )
}

/// Returns the section for a status. There is at least one code.
fn status_section(codes: &[ErrorCode]) -> String {
    let status = codes.first().map_or(0, |code| code.status());
    let line = |code: &ErrorCode| {
        let (page, name) = (problem::page_path(*code), code.as_str());
        format!("<li><a href=\"{page}\">{name}</a> <span>{}</span></li>", code_spans_to_html(code.message()))
    };
    let lines = codes.iter().map(line).collect::<Vec<_>>().join("\n        ");
    format!(
        "<section aria-labelledby=\"status-{status}\">\n      <h2 id=\"status-{status}\">{status} {}</h2>\n      \
         <ul class=\"codes\">\n        {lines}\n      </ul>\n    </section>",
        reason_phrase(status)
    )
}

/// Returns the section with the violation codes.
fn violation_section() -> String {
    let line = |known: &ViolationInfo| {
        let (page, name) = (problem::violation_page_path(known), known.code);
        format!("<li><a href=\"{page}\">{name}</a> <span>{}</span></li>", code_spans_to_html(known.meaning))
    };
    ViolationInfo::ALL.iter().map(line).collect::<Vec<_>>().join("\n        ")
}

/// Returns the page of a violation code.
pub(super) fn violation_page(violation: &ViolationInfo, info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let example = violation.example();
    fill(
        include_str!("assets/violation.html"),
        &[
            ("head", &layout::head(assets)),
            ("header", &layout::header(info, &problem::violation_page_path(violation), "")),
            ("index", problem::PAGES_PATH),
            ("code", violation.code),
            ("meaning", &code_spans_to_html(violation.meaning)),
            ("remedy", &code_spans_to_html(violation.remedy)),
            ("media_type", problem::MEDIA_TYPE),
            ("v1", BASE),
            ("problem", &json(&Problem::new(&example, "/v2/bucketlists", EXAMPLE_REQUEST_ID))),
            ("envelope", &json(&ErrorEnvelope::new(&example, EXAMPLE_REQUEST_ID))),
        ],
    )
}

/// Returns the page of an error code.
pub(super) fn error_code_page(code: ErrorCode, info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let causes: Vec<String> =
        code.causes().iter().map(|cause| format!("<li>{}</li>", code_spans_to_html(cause))).collect();
    fill(
        include_str!("assets/problem.html"),
        &[
            ("head", &layout::head(assets)),
            ("header", &layout::header(info, &problem::page_path(code), "")),
            ("index", problem::PAGES_PATH),
            ("code", code.as_str()),
            ("status", &code.status().to_string()),
            ("reason", reason_phrase(code.status())),
            ("message", &code_spans_to_html(code.message())),
            ("explanation", &code_spans_to_html(code.explanation())),
            ("causes", &causes.join("\n        ")),
            ("remedy", &code_spans_to_html(code.remedy())),
            ("media_type", problem::MEDIA_TYPE),
            ("v1", BASE),
            ("problem", &json(&Problem::example_of(code))),
            ("envelope", &v1_example(code)),
        ],
    )
}

/// Returns the example of the error in v1.
fn v1_example(code: ErrorCode) -> String {
    if !code.is_in_v1() {
        return format!("<p>This error does not occur under <code>{BASE}</code>.</p>");
    }
    format!(
        "<p class=\"note\"><code>application/json</code>, for paths under <code>{BASE}</code>.</p>\n      \
         <pre tabindex=\"0\" aria-label=\"Example of an error in v1\"><code id=\"envelope-v1\">{}</code></pre>",
        json(&ErrorEnvelope::new(&ApiError::example(code), EXAMPLE_REQUEST_ID))
    )
}

fn json(value: &impl Serialize) -> String {
    escape_html(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Returns the reason phrase of a status.
fn reason_phrase(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}

/// Converts text with code in backticks to HTML.
fn code_spans_to_html(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| match (index % 2, escape_html(part)) {
        (0, text) => text,
        (_, code) => format!("<code>{code}</code>"),
    });
    parts.collect()
}
