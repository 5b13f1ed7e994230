//! Error responses for connections without a valid request, in the format of the API version.

use std::{sync::Arc, time::Duration};

use contract::{ApiError, BasePath, ErrorCode};
use tracing::info_span;
use uuid::Uuid;

use super::{pipeline, versions};
use crate::server::{ErrorResponder, RejectReason};

/// Returns the function that creates these responses.
#[must_use]
pub fn connection_error_responses(is_https: bool, base_path: &BasePath) -> Arc<ErrorResponder> {
    let base_path = base_path.clone();
    Arc::new(move |reason, path| {
        let path = base_path.strip(path).unwrap_or(path);
        let request_id = Uuid::now_v7().to_string();
        let _entered = info_span!("request", id = request_id).entered();
        let error = api_error(reason);
        pipeline::log(&error);
        let has_envelope = versions::of_path(path).is_some_and(|version| version.has_error_envelopes);
        let mut response = base_path.sync_scope(|| pipeline::error_response(&error, has_envelope, path, &request_id));
        pipeline::complete(&mut response, &request_id, Duration::ZERO, is_https);
        response
    })
}

fn api_error(reason: RejectReason) -> ApiError {
    let malformed = |message: &str| ApiError::new(ErrorCode::MalformedRequest).with_message(message);
    match reason {
        RejectReason::Malformed => malformed("The request line or a header is malformed (RFC 9112)."),
        RejectReason::BareLineFeed => malformed("Every header line must end with CR LF (RFC 9112, section 2.2)."),
        RejectReason::DuplicateContentLength => {
            malformed("A request must have at most one Content-Length (RFC 9112, section 6.3).")
        }
        RejectReason::ConflictingLength => {
            malformed("A request must not have both Content-Length and Transfer-Encoding (RFC 9112, section 6.3).")
        }
        RejectReason::UnsupportedTransferCoding => {
            malformed("Transfer-Encoding must be chunked, without other codings (RFC 9112, section 6.1).")
        }
        RejectReason::InvalidHost => {
            malformed("A request must have exactly one valid Host header (RFC 9112, section 3.2).")
        }
        RejectReason::UnknownHost => malformed("The Host header is not the host name of this server."),
        RejectReason::HttpsRequired => malformed(
            "Operations require HTTPS. The request was sent unencrypted: if it contained a token, log out to revoke it.",
        ),
        RejectReason::UriTooLong => ErrorCode::UriTooLong.into(),
        RejectReason::HeadersTooLarge => ErrorCode::HeadersTooLarge.into(),
        RejectReason::HeaderTimeout => ErrorCode::RequestTimeout.into(),
        RejectReason::Starting => ApiError {
            retry_after: Some(5),
            ..ApiError::new(ErrorCode::ServiceUnavailable).with_message("The server is starting.")
        },
    }
}
