//! The record of a failed request, and its JSON form.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::Error as _};
use sha2::{Digest, Sha256};

/// Value of `format` in the JSON form of a record.
pub const FORMAT: &str = "bucketlist-incident/1";

/// A failed request with its response, redacted.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct IncidentRecord {
    /// [`FORMAT`].
    pub format: String,
    /// ID of the incident; 0 if it is not stored yet.
    pub id: i64,
    /// `X-Request-ID` of the response.
    pub request_id: String,
    /// Trace ID of the request's `traceparent`.
    pub trace_id: Option<String>,
    /// Time at which the server received the request, in microseconds since 1970.
    pub received_at: i64,
    /// Time until the response was ready, in microseconds.
    pub duration: i64,
    /// Version of the server.
    pub server_version: String,
    /// Contract of the request; `None` for unversioned paths.
    pub contract: Option<ContractVersion>,
    /// operationId, if the request matched an operation.
    pub operation: Option<String>,
    /// Error code of the response.
    pub code: Option<String>,
    /// [`fingerprint`](crate::fingerprint) of the failure.
    pub fingerprint: String,
    /// Authenticated caller; `None` if the request was not authenticated.
    pub principal: Option<Principal>,
    /// The placeholders in the request and the response, so that people can tell them from captured text. Absent in older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placeholders: Vec<String>,
    pub request: CapturedRequest,
    pub response: CapturedResponse,
}

/// Version of the contract.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ContractVersion {
    V1,
    V2,
}

impl ContractVersion {
    /// Parses `v1` or `v2`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::V1, Self::V2].into_iter().find(|version| version.as_str() == text)
    }

    /// `v1` or `v2`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// The authenticated caller of a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Principal {
    pub user_id: i64,
    /// `None` if the request had the key of an API client.
    pub session_id: Option<i64>,
    /// Role of the account, also for an API client that acts for it.
    pub role: PrincipalRole,
    /// The API client whose key the request had. `None` for a session, and in records of versions that did not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_client: Option<CapturedApiClient>,
}

/// The API client that sent a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
pub struct CapturedApiClient {
    pub id: i64,
    /// `read`, `write` and `admin`.
    pub scopes: Vec<String>,
}

/// Role that the caller had, or that the operation requires where the caller's role is unknown.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalRole {
    User,
    Admin,
}

impl PrincipalRole {
    /// Returns the role of an administrator or of a user.
    #[must_use]
    pub fn from_is_admin(is_admin: bool) -> Self {
        if is_admin { Self::Admin } else { Self::User }
    }

    /// `user` or `admin`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

/// A request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct CapturedRequest {
    pub method: String,
    /// Path and query as received: neither decoded nor normalized.
    pub target: String,
    /// Allow-listed headers in the order received. `authorization` has the original scheme and a placeholder, `x-api-key` a
    /// placeholder.
    pub headers: Vec<(String, String)>,
    pub body: CapturedBody,
    /// Whether the body exceeded the capture limit. Such a request cannot be replayed.
    pub truncated: bool,
}

/// A response.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct CapturedResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: CapturedBody,
    pub truncated: bool,
}

/// The bytes of a body. Their JSON form has `text` if they are UTF-8, else `base64`, and their SHA-256.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapturedBody(pub Vec<u8>);

impl CapturedBody {
    /// Returns the SHA-256 in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.0))
    }
}

/// The JSON form of [`CapturedBody`].
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct EncodedBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    sha256: String,
}

impl Serialize for CapturedBody {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(&self.0).ok().map(str::to_owned);
        let base64 = text.is_none().then(|| STANDARD.encode(&self.0));
        EncodedBody { text, base64, sha256: self.sha256() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CapturedBody {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = EncodedBody::deserialize(deserializer)?;
        let body = match (encoded.text, encoded.base64) {
            (Some(text), None) => Self(text.into_bytes()),
            (None, Some(base64)) => Self(STANDARD.decode(base64).map_err(D::Error::custom)?),
            _ => return Err(D::Error::custom("a body has either `text` or `base64`")),
        };
        if body.sha256() == encoded.sha256 {
            Ok(body)
        } else {
            Err(D::Error::custom("the body does not match its SHA-256"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_survives_a_round_trip_through_json() {
        for bytes in [&b"{\"a\": 1.0}\r\n"[..], b"", b"\xff\x00", "{{token}} \u{1f600}".as_bytes()] {
            let body = CapturedBody(bytes.to_vec());
            let json = serde_json::to_string(&body).unwrap();
            assert_eq!(serde_json::from_str::<CapturedBody>(&json).unwrap(), body);
        }
    }

    #[test]
    fn altered_body_is_rejected() {
        let json = serde_json::to_string(&CapturedBody(b"one".to_vec())).unwrap().replace("one", "two");
        let error = serde_json::from_str::<CapturedBody>(&json).unwrap_err().to_string();
        assert!(error.contains("SHA-256"), "{error}");
    }

    #[test]
    fn principal_without_an_api_client_is_read() {
        let principal: Principal = serde_json::from_str(r#"{"user_id": 1, "session_id": 1, "role": "user"}"#).unwrap();
        assert_eq!(principal.api_client, None);
        assert!(!serde_json::to_string(&principal).unwrap().contains("api_client"));
        let client = CapturedApiClient { id: 3, scopes: vec!["read".to_owned()] };
        let principal = Principal { session_id: None, api_client: Some(client), ..principal };
        let json = serde_json::to_string(&principal).unwrap();
        assert_eq!(serde_json::from_str::<Principal>(&json).unwrap(), principal);
    }

    #[test]
    fn unknown_role_is_rejected() {
        assert!(serde_json::from_str::<Principal>(r#"{"user_id": 1, "session_id": 1, "role": "owner"}"#).is_err());
        assert_eq!(serde_json::to_string(&PrincipalRole::Admin).unwrap(), "\"admin\"");
        assert_eq!(serde_json::to_string(&ContractVersion::V2).unwrap(), "\"v2\"");
    }
}
