//! A record as one command for a POSIX shell.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Record,
    resend::{Header, headers},
};

/// What curl adds by itself unless it is told not to.
const UNASKED: [&str; 4] = ["User-Agent", "Accept", "Content-Type", "Expect"];

/// One command that sends what was captured, to paste into a shell.
///
/// `BASE_URL` in the environment takes the place of `origin`, `TOKEN` must hold an access token where the captured request
/// had one. Everything else is quoted: nothing in it can become a part of the command.
#[must_use]
pub fn curl(record: &Record, origin: &str) -> String {
    let request = &record.request;
    let body = &request.body.0;
    let mut parts = Vec::new();
    // Through a pipe: an argument has no NUL, is short, and may begin with an @ that curl takes for a file.
    match std::str::from_utf8(body) {
        _ if body.is_empty() => {}
        Ok(text) if is_plain(text) => parts.push(format!("printf %s {} |", quoted(text))),
        _ => parts.push(format!("printf %s {} | base64 -d |", quoted(&STANDARD.encode(body)))),
    }
    parts.push("curl -sS -i -g --path-as-is".to_owned());
    // The answer to HEAD ends with its head, whatever length it names.
    if request.method == "HEAD" && body.is_empty() {
        parts.push("--head".to_owned());
    } else {
        parts.push(format!("-X {}", quoted(&request.method)));
    }
    if request.method == "HEAD" && !body.is_empty() {
        // It would wait for the body that the answer's head announces.
        parts.push("-m 10".to_owned());
    }
    let headers = headers(record);
    let is_sent = |name: &str| {
        headers.iter().any(|(Header::Captured(sent, _) | Header::Token(sent, _))| sent.eq_ignore_ascii_case(name))
    };
    for header in &headers {
        parts.push(match header {
            // Left empty, it would not be sent at all.
            Header::Captured(name, "") => format!("-H {}", quoted(&format!("{name};"))),
            Header::Captured(name, value) => format!("-H {}", quoted(&format!("{name}: {value}"))),
            Header::Token(name, scheme) => {
                format!("-H {}\"${{TOKEN:?give it an access token}}\"", quoted(&format!("{name}: {scheme} ")))
            }
        });
    }
    if is_sent("accept-encoding") {
        parts.push("--compressed".to_owned());
    }
    parts
        .extend(UNASKED.iter().filter(|name| !is_sent(name)).map(|name| format!("-H {}", quoted(&format!("{name}:")))));
    if !body.is_empty() {
        parts.push("--data-binary @-".to_owned());
    }
    parts.push(format!("\"${{BASE_URL:-{}}}\"{}", origin.trim_end_matches('/'), quoted(&request.target)));
    let mut text = parts.join(" \\\n  ");
    text.push('\n');
    text
}

/// Whether a terminal takes the text as it is when it is pasted.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{feff}'))
}

/// One word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
