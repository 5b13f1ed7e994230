//! State of a request: set by the stages, and read when the response is created.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use contract::{ApiError, caller::ServerReplay};
use poem::{
    Request,
    http::{HeaderValue, Method, Uri, header::USER_AGENT},
};

use super::{
    capture, cors::CorsGrant, deprecation::DeprecationHeaders, identity::Identity, request_id, route::OperationRoute,
    trace::RequestTrace,
};
use crate::{
    domain::RateLimitDecision,
    http::{precompressed::Encoding, versions::Version},
};

/// State of a request.
pub(super) struct RequestContext {
    pub(super) request_id: String,
    pub(super) trace: RequestTrace,
    pub(super) method: Method,
    /// The URI as the client sent it, without the base path.
    pub(super) uri: Uri,
    pub(super) user_agent: Option<HeaderValue>,
    /// Size of the request body, once it was read.
    pub(super) body_bytes: u64,
    /// The declared fields of the request body, once it was validated.
    pub(super) body_inputs: Arc<AtomicU64>,
    /// Microseconds since 1970.
    pub(super) received_at: i64,
    pub(super) started: Instant,
    /// `None` if CORS is disabled.
    pub(super) cors: Option<CorsGrant>,
    /// Encoding to compress the response with.
    pub(super) encoding: Option<Encoding>,
    /// Version that the path or `Accept-Version` selects; `None` for unversioned routes.
    pub(super) version: Option<&'static Version>,
    /// Whether `Accept-Version` or its default selected the version.
    pub(super) is_version_negotiated: bool,
    /// Whether the path is one of [`super::UnversionedRoutes`].
    pub(super) is_unversioned: bool,
    pub(super) operation: Option<OperationRoute>,
    /// Value of `Allow`.
    pub(super) allow: Option<Cow<'static, str>>,
    /// Value of `Accept-Patch`: the media types of PATCH requests for this path (RFC 5789).
    pub(super) accept_patch: Option<&'static str>,
    pub(super) deprecation: Option<DeprecationHeaders>,
    pub(super) identity: Identity,
    pub(super) rate_limit: Option<RateLimitDecision>,
    /// Whether a server of this deployment sent the request to replay an incident.
    pub(super) is_replay: bool,
    /// Whether the request has the header that requests its capture.
    pub(super) requests_capture: bool,
    /// Error that ended the request.
    pub(super) error: Option<ApiError>,
}

impl RequestContext {
    pub(super) fn new(request: &Request, received_at: i64) -> Self {
        Self {
            request_id: request_id::request_id(request),
            trace: RequestTrace::default(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            user_agent: request.headers().get(USER_AGENT).cloned(),
            body_bytes: 0,
            body_inputs: Arc::default(),
            received_at,
            started: Instant::now(),
            cors: None,
            encoding: None,
            version: None,
            is_version_negotiated: false,
            is_unversioned: false,
            operation: None,
            allow: None,
            accept_patch: None,
            deprecation: None,
            identity: Identity::default(),
            rate_limit: None,
            is_replay: request.extensions().get::<ServerReplay>().is_some(),
            requests_capture: capture::requests_capture(request.headers()),
            error: None,
        }
    }

    /// Returns whether the request is a CORS preflight from an allowed origin.
    pub(super) fn is_preflight(&self) -> bool {
        self.cors.as_ref().is_some_and(|grant| grant.is_preflight)
    }

    /// Code of the error that ended the request.
    pub(super) fn error_code(&self) -> Option<&'static str> {
        self.error.as_ref().map(|error| error.code.as_str())
    }

    /// Returns the operation's `operationId`.
    pub(super) fn operation_id(&self) -> Option<&'static str> {
        self.operation.map(|operation| operation.documented.id.as_str())
    }
}
