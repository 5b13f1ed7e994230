//! The record of one failure, and the file it travels in.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::Error as _};
use sha2::{Digest, Sha256};

/// What an incident's file says it is.
pub const FORMAT: &str = "bucketlist-incident/1";

/// One failure: a request as it came, redacted, and what was answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Record {
    /// [`FORMAT`].
    pub format: String,
    /// The number of the incident; 0 as long as it has none.
    pub id: i64,
    /// The `X-Request-ID` that the client was told.
    pub request_id: String,
    /// The trace of `traceparent`, if there was one.
    pub trace_id: Option<String>,
    /// When the request came, in microseconds since 1970.
    pub received_at: i64,
    /// How long the answer took, in microseconds.
    pub duration: i64,
    /// The build that answered.
    pub server_version: String,
    /// The version of the contract: `v1`, `v2`; `None` outside the versions.
    pub contract: Option<String>,
    /// The operationId, if the request had one.
    pub operation: Option<String>,
    /// The error's code, if the answer names one.
    pub code: Option<String>,
    /// Equal for equal failures: operation, status, code and where it went wrong.
    pub fingerprint: String,
    /// Who asked; `None`: nobody who could be told.
    pub principal: Option<Principal>,
    pub request: Sent,
    pub response: Reply,
}

/// Who asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Principal {
    pub user_id: i64,
    pub session_id: i64,
    /// `user` or `admin`.
    pub role: String,
}

/// A request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Sent {
    pub method: String,
    /// Path and query, as they came: nothing decoded, nothing normalised.
    pub target: String,
    /// In the order they came. Only those of the allow-list; `authorization` has its scheme and a stand-in.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Whether the body was longer than what is kept of it: it cannot be sent again.
    pub truncated: bool,
}

/// An answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub truncated: bool,
}

/// Bytes with their SHA-256. In a file: as text where they are UTF-8, else in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// The SHA-256, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        Sha256::digest(&self.0).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// [`Bytes`] in a file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    sha256: String,
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(&self.0).ok().map(str::to_owned);
        let base64 = text.is_none().then(|| STANDARD.encode(&self.0));
        Written { text, base64, sha256: self.sha256() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let bytes = match (written.text, written.base64) {
            (Some(text), None) => Self(text.into_bytes()),
            (None, Some(base64)) => Self(STANDARD.decode(base64).map_err(D::Error::custom)?),
            _ => return Err(D::Error::custom("a body is given either as `text` or as `base64`")),
        };
        if bytes.sha256() == written.sha256 {
            Ok(bytes)
        } else {
            Err(D::Error::custom("the body is not the one that was kept: its SHA-256 differs"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were() {
        for bytes in [&b"{\"a\": 1.0}\r\n"[..], b"", b"\xff\x00", "{{token}} \u{1f600}".as_bytes()] {
            let bytes = Bytes(bytes.to_vec());
            let text = serde_json::to_string(&bytes).unwrap();
            assert_eq!(serde_json::from_str::<Bytes>(&text).unwrap(), bytes);
        }
    }

    #[test]
    fn altered_bytes_are_noticed() {
        let text = serde_json::to_string(&Bytes(b"one".to_vec())).unwrap().replace("one", "two");
        let error = serde_json::from_str::<Bytes>(&text).unwrap_err().to_string();
        assert!(error.contains("SHA-256"), "{error}");
    }
}
