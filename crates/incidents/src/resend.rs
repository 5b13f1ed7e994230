//! How a captured request is sent again: its headers, and the account that sends it.

use super::{IncidentRecord, PrincipalRole};

/// Authentication scheme of a request whose `authorization` was not captured.
const BEARER: &str = "Bearer";

/// Headers that the connection or the client sets. The captured values do not apply to another connection.
const CONNECTION_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A header to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendHeader<'r> {
    /// Name and captured value.
    Captured(&'r str, &'r str),
    /// Name and authentication scheme of a header that carries the token of the account that sends the request.
    Token(&'r str, &'r str),
}

/// Returns the headers to send, in the order captured.
///
/// The token in a record is a placeholder. If the request was authenticated, a token of the sending account replaces it.
/// Otherwise the server rejected the token, and it rejects the placeholder too.
#[must_use]
pub fn headers(record: &IncidentRecord) -> Vec<ResendHeader<'_>> {
    let mut has_token = false;
    let mut headers: Vec<ResendHeader<'_>> = record
        .request
        .headers
        .iter()
        .filter(|(name, _)| !CONNECTION_HEADERS.iter().any(|other| name.eq_ignore_ascii_case(other)))
        .map(|(name, value)| match &record.principal {
            // The account sends an access token instead: a request with two credentials is rejected.
            Some(_) if name.eq_ignore_ascii_case("x-api-key") => {
                has_token = true;
                ResendHeader::Token("authorization", BEARER)
            }
            Some(_) if name.eq_ignore_ascii_case("authorization") => {
                has_token = true;
                let scheme = value.split(' ').next().filter(|scheme| !scheme.is_empty());
                ResendHeader::Token(name, scheme.unwrap_or(BEARER))
            }
            _ => ResendHeader::Captured(name, value),
        })
        .collect();
    if record.principal.is_some() && !has_token {
        headers.push(ResendHeader::Token("Authorization", BEARER));
    }
    headers
}

/// Returns the role of the account that must send the request; `None` if the request was not authenticated.
#[must_use]
pub fn required_role(record: &IncidentRecord) -> Option<PrincipalRole> {
    record.principal.as_ref().map(|principal| principal.role)
}

/// Returns the reason why the request cannot be sent again, if there is one.
#[must_use]
pub fn not_resendable(record: &IncidentRecord) -> Option<String> {
    record.request.truncated.then(|| {
        format!(
            "incident {} has only the first {} bytes of the request body and cannot be sent again",
            record.id,
            record.request.body.0.len(),
        )
    })
}
