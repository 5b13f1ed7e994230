//! Export as a curl command for a POSIX shell.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    IncidentRecord,
    resend::{CredentialKind, ResendHeader, credential_kind, headers},
};

/// Headers that curl adds by default.
const DEFAULT_HEADERS: [&str; 4] = ["User-Agent", "Accept", "Content-Type", "Expect"];

/// Returns a command that sends the captured request.
///
/// `BASE_URL` in the environment overrides `origin`. If the request was authenticated, `TOKEN` must contain an access token, or
/// `API_KEY` the key of an API client. All captured values are quoted, so that none of them can be executed.
#[must_use]
pub fn curl(record: &IncidentRecord, origin: &str) -> String {
    let request = &record.request;
    let body = &request.body.0;
    let mut parts = Vec::new();
    // Through a pipe: an argument cannot contain NUL, has a maximum length, and names a file if it starts with `@`.
    match std::str::from_utf8(body) {
        _ if body.is_empty() => {}
        Ok(text) if is_safe_to_paste(text) => parts.push(format!("printf %s {} |", quote(text))),
        _ => parts.push(format!("printf %s {} | base64 -d |", quote(&STANDARD.encode(body)))),
    }
    parts.push("curl -sS -i -g --path-as-is".to_owned());
    // Without --head, curl would wait for the body that Content-Length announces.
    if request.method == "HEAD" && body.is_empty() {
        parts.push("--head".to_owned());
    } else {
        parts.push(format!("-X {}", quote(&request.method)));
    }
    if request.method == "HEAD" && !body.is_empty() {
        // --head cannot be combined with a request body.
        parts.push("-m 10".to_owned());
    }
    let headers = headers(record);
    let is_sent = |name: &str| headers.iter().any(|header| header.name().eq_ignore_ascii_case(name));
    let credential = match credential_kind(record) {
        Some(CredentialKind::ApiKey) => "\"${API_KEY:?set it to the key of an API client}\"",
        _ => "\"${TOKEN:?set it to an access token}\"",
    };
    for header in &headers {
        parts.push(match header {
            // curl sends an empty header only if its name ends with a semicolon.
            ResendHeader::Captured(name, "") => format!("-H {}", quote(&format!("{name};"))),
            ResendHeader::Captured(name, value) => format!("-H {}", quote(&format!("{name}: {value}"))),
            ResendHeader::Credential(name, _) => {
                format!("-H {}{credential}", quote(&format!("{name}: {}", header.value(""))))
            }
        });
    }
    if is_sent("accept-encoding") {
        parts.push("--compressed".to_owned());
    }
    let omitted = DEFAULT_HEADERS.iter().filter(|name| !is_sent(name));
    parts.extend(omitted.map(|name| format!("-H {}", quote(&format!("{name}:")))));
    if !body.is_empty() {
        parts.push("--data-binary @-".to_owned());
    }
    parts.push(format!("\"${{BASE_URL:-{}}}\"{}", origin.trim_end_matches('/'), quote(&request.target)));
    let mut command = parts.join(" \\\n  ");
    command.push('\n');
    command
}

/// Whether a terminal leaves the text unchanged when it is pasted.
fn is_safe_to_paste(text: &str) -> bool {
    !text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{feff}'))
}

/// Quotes a word for a POSIX shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
