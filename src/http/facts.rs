//! What is found out about a request on its way.

use std::borrow::Cow;

use document::Operation;
use poem::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ALLOW, VARY},
};

use super::{
    deprecation::Notice,
    limits,
    versions::{self, Version},
};
use crate::domain::RateLimitDecision;

/// What PATCH of a path is sent as (RFC 5789).
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// What is found out about a request on its way, for the response and the log.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) operation: Option<&'static Operation>,
    pub(super) user: Option<i64>,
    /// The account and session that a token of ours names, whether or not they still live.
    pub(super) claimed: Option<(i64, i64)>,
    /// Whether it is for a page, a document, health or the version: not for the API.
    pub(super) is_outside: bool,
    pub(super) verdict: Option<RateLimitDecision>,
    pub(super) allow: Option<Cow<'static, str>>,
    /// Whether a browser asks what a page of another site may do.
    pub(super) is_preflight: bool,
    /// What a PATCH of this path is sent as (RFC 5789).
    pub(super) accept_patch: Option<&'static str>,
    pub(super) notice: Option<Notice>,
    /// Which version the path names, or was led to.
    pub(super) version: Option<&'static Version>,
    /// Whether the path names none.
    pub(super) is_negotiated: bool,
    pub(super) carries_tokens: bool,
}

impl Facts {
    /// Tells what is to be told in headers.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if let Some(verdict) = &self.verdict {
            limits::write(verdict, headers);
        }
        if let Some(Ok(allow)) = self.allow.as_deref().map(HeaderValue::from_str) {
            headers.insert(ALLOW, allow);
        }
        if let Some(media_type) = self.accept_patch {
            headers.insert(ACCEPT_PATCH, HeaderValue::from_static(media_type));
        }
        // What a path holds is written into the header as it came: where it cannot be, nothing is said.
        if let Some(Err(error)) = self.notice.as_ref().map(|notice| notice.write(headers)) {
            tracing::debug!(%error, "cannot name the successor");
        }
        if self.is_negotiated {
            headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding, Accept-Version"));
            if let Some(version) = self.version {
                headers.insert(versions::CONTENT_VERSION, HeaderValue::from_static(version.number));
            }
        }
    }
}
