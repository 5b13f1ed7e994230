//! Answers to what arrives and is no request: refused before there is one, in the same words and shapes as all others.

use std::{sync::Arc, time::Duration};

use contract::{ApiError, ErrorCode};
use tracing::info_span;
use uuid::Uuid;

use super::{errors, headers, versions};
use crate::server::{ErrorResponder, RejectReason};

/// Makes these answers.
#[must_use]
pub fn connection_error_responses(is_https: bool) -> Arc<ErrorResponder> {
    Arc::new(move |refusal, path| {
        let request_id = Uuid::now_v7().to_string();
        let _entered = info_span!("request", id = request_id).entered();
        let error = error(refusal);
        errors::log(&error);
        let has_envelope = versions::of(path).is_some_and(|version| version.has_envelopes);
        let mut response = errors::respond(&error, has_envelope, path, &request_id);
        headers::complete(&mut response, &request_id, Duration::ZERO, is_https);
        response
    })
}

fn error(refusal: RejectReason) -> ApiError {
    let malformed = |message: &str| ApiError::new(ErrorCode::MalformedRequest).with_message(message);
    match refusal {
        RejectReason::Malformed => malformed("The request line or a header cannot be read (RFC 9112)."),
        RejectReason::BareLineFeed => malformed("Each line of a request ends with CR LF (RFC 9112, section 2.2)."),
        RejectReason::DuplicateContentLength => malformed("A request has one Content-Length (RFC 9112, section 6.3)."),
        RejectReason::ConflictingLength => {
            malformed("A request has either Content-Length or Transfer-Encoding (RFC 9112, section 6.3).")
        }
        RejectReason::InvalidHost => {
            malformed("A request names its host once, in the header Host (RFC 9112, section 3.2).")
        }
        RejectReason::UnknownHost => malformed("This address is of another host than the one in the header Host."),
        RejectReason::HttpsRequired => malformed(
            "Operations are called over HTTPS only. What was sent travelled readable: log out if a token was among it.",
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
