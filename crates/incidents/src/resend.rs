//! How a captured request is sent again: its headers, and the credential that it is sent with.

use super::{IncidentRecord, Principal, PrincipalRole};

/// Authentication scheme of a request whose `authorization` was not captured.
const BEARER: &str = "Bearer";
const AUTHORIZATION: &str = "authorization";
const API_KEY: &str = "x-api-key";

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

/// Header by which an administrator has requested the capture. Sent again, it would capture another incident of the same failure.
const DEBUG_CAPTURE: &str = "x-debug-capture";

/// A header to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendHeader<'r> {
    /// Name and captured value.
    Captured(&'r str, &'r str),
    /// Name of a header with the credential that replaces the captured one, and its authentication scheme, if it has one.
    Credential(&'r str, Option<&'r str>),
}

/// The credential of a captured request. A replacement of the same kind must send the request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// An access token of an account.
    Session,
    /// A key of an API client.
    ApiKey,
}

impl<'r> ResendHeader<'r> {
    /// Returns the name of the header.
    #[must_use]
    pub fn name(&self) -> &'r str {
        match self {
            Self::Captured(name, _) | Self::Credential(name, _) => name,
        }
    }

    /// Returns the value of the header with a credential.
    #[must_use]
    pub fn value(&self, credential: &str) -> String {
        match self {
            Self::Captured(_, value) => (*value).to_owned(),
            Self::Credential(_, Some(scheme)) => format!("{scheme} {credential}"),
            Self::Credential(_, None) => credential.to_owned(),
        }
    }
}

/// Returns the headers to send, in the order captured.
///
/// The credential in a record is a placeholder. If the request was authenticated, another credential replaces it in the same
/// headers. Otherwise the server rejected the credential, and it rejects the placeholder too.
#[must_use]
pub fn headers(record: &IncidentRecord) -> Vec<ResendHeader<'_>> {
    let mut has_credential = false;
    let mut headers: Vec<ResendHeader<'_>> = record
        .request
        .headers
        .iter()
        .filter(|(name, _)| {
            !CONNECTION_HEADERS.iter().chain([&DEBUG_CAPTURE]).any(|other| name.eq_ignore_ascii_case(other))
        })
        .map(|(name, value)| match &record.principal {
            Some(_) if name.eq_ignore_ascii_case(API_KEY) => {
                has_credential = true;
                ResendHeader::Credential(name, None)
            }
            Some(_) if name.eq_ignore_ascii_case(AUTHORIZATION) => {
                has_credential = true;
                let scheme = value.split(' ').next().filter(|scheme| !scheme.is_empty());
                ResendHeader::Credential(name, Some(scheme.unwrap_or(BEARER)))
            }
            _ => ResendHeader::Captured(name, value),
        })
        .collect();
    if record.principal.is_some() && !has_credential {
        headers.push(ResendHeader::Credential("Authorization", Some(BEARER)));
    }
    headers
}

/// Returns the credential that the request must be sent with; `None` if the request was not authenticated.
#[must_use]
pub fn credential_kind(record: &IncidentRecord) -> Option<CredentialKind> {
    let principal = record.principal.as_ref()?;
    // Versions that did not store the API client stored no session for its requests. An access token is accepted in
    // `x-api-key` too, but only together with `authorization`.
    let has_only_key = has_header(record, API_KEY) && !has_header(record, AUTHORIZATION);
    let is_api_key = principal.api_client.is_some() || principal.session_id.is_none() || has_only_key;
    Some(if is_api_key { CredentialKind::ApiKey } else { CredentialKind::Session })
}

/// Returns the role of the account that must send the request; `None` if the request was not authenticated.
#[must_use]
pub fn required_role(record: &IncidentRecord) -> Option<PrincipalRole> {
    record.principal.as_ref().map(|principal| principal.role)
}

/// Returns the caller of a request in words.
#[must_use]
pub fn caller(principal: &Principal) -> String {
    let account = format!("{} {}", principal.role.as_str(), principal.user_id);
    match &principal.api_client {
        Some(client) => {
            format!("API client {} of {account} with the scopes {}", client.id, client.scopes.join(", "))
        }
        None if principal.session_id.is_none() => format!("API client of {account}"),
        None => account,
    }
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

/// Returns the reason why a replay cannot send the request with a credential like the captured one, if there is one.
#[must_use]
pub fn missing_credential(record: &IncidentRecord) -> Option<String> {
    let id = record.id;
    match &record.principal {
        Some(Principal { api_client: None, .. }) if credential_kind(record) == Some(CredentialKind::ApiKey) => {
            Some(format!("incident {id} was captured from an API client by a version that did not store its scopes"))
        }
        // A rejected key is captured with status 401. With another status, the failure occurred before the key was checked.
        None if has_header(record, API_KEY) && record.response.status >= 500 => Some(format!(
            "the request of incident {id} failed before its API key was checked, so that its scopes are unknown"
        )),
        _ => None,
    }
}

fn has_header(record: &IncidentRecord, name: &str) -> bool {
    record.request.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
}
