//! The request pipeline: the stages that every request passes, in order.
//!
//! [`Pipeline::handle`] lists the stages between a request and its operation, [`Pipeline::finish`] those between the
//! operation's result and the response that is sent. A stage is a plain function or method over one [`RequestContext`];
//! a stage that fails ends the request, and [`errors`] maps the error to a response of the API version.

mod access_log;
mod body;
mod byte_order_mark;
mod cache;
mod capture;
mod compression;
mod conditional;
mod context;
mod cors;
mod deadline;
mod deprecation;
mod errors;
mod fault;
mod headers;
mod identity;
mod metrics;
mod negotiation;
mod rate_limit;
mod request_id;
mod response_validation;
mod route;
mod size_limits;
mod trace;
mod usage;
mod validation;
mod version;

use std::{panic::AssertUnwindSafe, sync::Arc};

use contract::{
    ApiError, BasePath, Caller, Permissions,
    caller::RequestOrigin,
    listing::{Format, NegotiatedFormat},
    payload::{BodyContext, BodyRules},
};
use futures_util::{FutureExt, future::Either};
use ipnet::IpNet;
use poem::{
    Body, Endpoint, IntoResponse, Request, Response,
    http::{Method, StatusCode},
};
use tokio::sync::watch;
use tracing::{Instrument, info_span};

use self::{
    cache::CacheKey,
    capture::RequestCapture,
    conditional::ConditionalRequest,
    context::RequestContext,
    deadline::Deadline,
    errors::RequestError,
    fault::Fault,
    identity::Identity,
    rate_limit::NO_ADDRESS,
    route::{OperationRoute, Route},
    trace::RequestTrace,
};
use super::{UnversionedRoutes, base_path, client_address::client_address};
use crate::{
    capture::Recorder,
    config::RequestLimits,
    domain::{Brownout, Clock, UserId},
    metrics::RequestMetrics,
    services::with_min_revision,
    traces::{FutureExt as _, Tracer},
    usage::UsageRecorder,
};

pub(crate) use self::cors::Cors;
pub(super) use self::cors::allow_any_origin;
pub use self::{
    cache::{CacheCounts, ResponseCache},
    identity::Authenticator,
    rate_limit::RateLimits,
    response_validation::{ResponseValidator, ResponseViolationKind, ValidationCounts},
};
pub(super) use self::{
    errors::{error_response, log},
    headers::complete,
    request_id::request_id,
    size_limits::MAX_URL_BYTES,
};

/// The outermost endpoint of the server: the stages and their dependencies.
pub struct Pipeline<E> {
    /// The operations of every version, nested at the path of the version.
    pub(crate) operations: E,
    pub(crate) unversioned: UnversionedRoutes,
    pub(crate) authenticator: Authenticator,
    pub(crate) cache: Option<ResponseCache>,
    pub(crate) cors: Option<Cors>,
    pub(crate) response_validator: Option<ResponseValidator>,
    /// Stores captured failures; `None` when capture is off.
    pub(crate) recorder: Option<Recorder>,
    pub(crate) usage: UsageRecorder,
    /// Whether a deprecated operation responds 410 after its sunset date.
    pub(crate) gone_after_sunset: bool,
    /// Periods in which deprecated operations respond 410 before their sunset date.
    pub(crate) brownouts: Vec<Brownout>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rate_limits: Option<RateLimits>,
    pub(crate) body_rules: Arc<dyn BodyRules>,
    /// The limits in effect, which can change between requests.
    pub(crate) limits: watch::Receiver<RequestLimits>,
    /// `None` without a metrics listener.
    pub(crate) metrics: Option<RequestMetrics>,
    /// `None` if traces are not exported.
    pub(crate) tracer: Option<Tracer>,
    /// Path of the public URL, which precedes the paths in requests and responses.
    pub(crate) base_path: BasePath,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Whether clients reach the server over HTTPS, directly or through a proxy.
    pub(crate) is_https: bool,
    /// Whether `X-Fault` makes operations fail: in the test environment only.
    pub(crate) has_faults: bool,
}

impl<E: Endpoint> Endpoint for Pipeline<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        base_path::strip(&self.base_path, &mut request);
        let mut context = RequestContext::new(&request, self.clock.now().micros());
        context.trace = RequestTrace::start(self.tracer.as_ref(), &request);
        let span = info_span!("request", id = context.request_id);
        let trace = context.trace.context();
        let response = self.base_path.scope(self.process(request, context)).instrument(span);
        // Entering a context costs time at each poll.
        let response = match trace {
            Some(trace) => Either::Left(response.with_context(trace)),
            None => Either::Right(response),
        };
        Ok(response.await)
    }
}

impl<E: Endpoint> Pipeline<E> {
    async fn process(&self, mut request: Request, mut context: RequestContext) -> Response {
        let _in_flight = self.metrics.as_ref().map(RequestMetrics::start);
        context.cors = self.cors.as_ref().map(|cors| cors.check(&request));
        context.encoding = compression::negotiate(&request, context.cors.as_ref());
        let capture = self.recorder.as_ref().map(|recorder| RequestCapture::start(&mut request, recorder, &context));
        let result = AssertUnwindSafe(self.handle(request, &mut context)).catch_unwind().await;
        let result = result.unwrap_or_else(|panic| Err(RequestError::Panic(panic)));
        self.finish(result, context, capture).await
    }

    /// Runs the stages from the request to the result of its operation.
    async fn handle(&self, mut request: Request, context: &mut RequestContext) -> Result<Response, RequestError> {
        // Version and route.
        let unversioned = self.unversioned.find(request.uri().path());
        context.is_unversioned = unversioned.is_some();
        if let Some(response) = version::respond_to_preflight(request.uri().path(), context)? {
            return Ok(response);
        }
        version::select(&mut request, context)?;
        let uri = request.uri().clone();
        let route = route::find(request.method(), uri.path(), unversioned, context)?;
        if let Route::Options = route {
            let mut response: Response = StatusCode::NO_CONTENT.into();
            if unversioned.is_some_and(|route| route.is_public()) {
                cors::allow_any_preflight(response.headers_mut(), UnversionedRoutes::ALLOW);
            }
            return Ok(response);
        }
        size_limits::check_head(&request)?;
        let (operation, path_params) = match route {
            Route::Operation(operation, path_params) => (operation, path_params),
            Route::Unversioned(route) => return Ok(self.unversioned.respond(route, &request).await?),
            Route::Options | Route::NotFound => {
                let page = context.version.is_none().then(|| self.unversioned.not_found(&request)).flatten();
                return errors::route_not_found(page, context);
            }
        };

        // Checks that need neither the database nor the body.
        let limits = *self.limits.borrow();
        let is_secured = operation.documented.is_secured;
        context.identity = self.authenticator.verify(request.headers(), is_secured);
        let mut origin = self.origin(&request, context);
        // At the same time as the rate limit, so that both together take one round trip.
        let cache_version =
            self.authenticator.cache_version(context.identity.cache_version_account().filter(|_| is_secured));
        let limited = async {
            match &self.rate_limits {
                Some(rate_limits) => rate_limits.check(operation.declared.limit, &origin, context).await,
                None => Ok(()),
            }
        };
        let (limited, cache_version) = tokio::join!(limited, cache_version);
        limited?;
        let acceptable = self.check_headers(&request, operation, limits, context);

        // Authentication and authorization. The caller of a request that is not acceptable is authenticated as well, because the
        // request is counted for it.
        let time_limit = operation.declared.time_limit.unwrap_or_default();
        let mut deadline = Deadline::new(limits.request_timeout.max(time_limit));
        let mut authenticated = Ok(());
        if is_secured {
            let was_counted = context.identity.rate_limit_subject().is_some();
            let work = deadline.run(self.authenticator.authenticate(&mut context.identity, cache_version)).await;
            authenticated = work.map_err(RequestError::from).and_then(|result| Ok(result?));
            // The first requests with an API key are counted by their address, until the client is known.
            if let (Some(rate_limits), false, true) = (&self.rate_limits, was_counted, authenticated.is_ok()) {
                rate_limits.check(operation.declared.limit, &origin, context).await?;
            }
        }
        let media_type = acceptable?;
        authenticated?;
        context.identity.authorize(operation.declared.access, request.method().as_str())?;
        origin.api_client_id = context.identity.api_client().map(|client| client.id);

        // Body and validation.
        context.body_bytes = body::read(&mut request, limits.body_bytes, limits.request_timeout).await?;
        if !operation.has_body() {
            request.set_body(Body::empty());
        }
        if self.has_faults
            && let Some(fault) = Fault::requested(request.headers())?
        {
            return Err(fault.trigger().into());
        }
        let inputs = Arc::clone(&context.body_inputs);
        let body_context = BodyContext { operation: operation.documented, rules: Arc::clone(&self.body_rules), inputs };
        validation::check(&mut request, operation, &path_params, &body_context).await?;

        // Cache and operation.
        request.extensions_mut().insert(body_context);
        request.extensions_mut().insert(origin);
        request.extensions_mut().insert(NegotiatedFormat(Format::of(media_type)));
        if let Some(caller) = context.identity.caller() {
            request.extensions_mut().insert(caller.clone());
        }
        if request.method() == Method::HEAD {
            request.set_method(Method::GET);
        }
        let has_byte_order_mark = negotiation::accepts_byte_order_mark(request.headers());
        let condition = ConditionalRequest::new(&request);
        let cache = self.cache.as_ref().filter(|_| operation.declared.is_cached && !condition.is_malformed());
        // A request that reads nothing that it has written itself.
        let min_revision = match &context.identity {
            Identity::Authenticated { caller, revision } if request.method() == Method::GET => {
                self.authenticator.revisions.min_revision(UserId::new(caller.user_id), *revision)
            }
            _ => None,
        };
        // Operations without a caller return the account of a new session, whose links need no further permission.
        let permissions = context.identity.caller().map_or(Permissions::ALL, Caller::permissions);
        let call = |request, deadline| {
            permissions.scope(with_min_revision(min_revision, self.call_operation(request, deadline)))
        };
        let response = match (cache, &context.identity) {
            (Some(cache), Identity::Authenticated { caller, revision }) => {
                let key = CacheKey::new(caller, &uri, media_type);
                match cache.get(&key, *revision) {
                    Some(response) => response,
                    None => cache.store(key, *revision, call(request, deadline).await?).await?,
                }
            }
            _ => call(request, deadline).await?,
        };
        let response = condition.apply(response);
        Ok(if has_byte_order_mark { byte_order_mark::add(response) } else { response })
    }

    /// Checks whether the operation is available, and the headers about the bodies of the response and of the request. Returns the media
    /// type of the response.
    fn check_headers(
        &self,
        request: &Request,
        operation: OperationRoute,
        limits: RequestLimits,
        context: &RequestContext,
    ) -> Result<&'static str, ApiError> {
        if let Some(deprecation) = &context.deprecation {
            if self.gone_after_sunset {
                deprecation.check_sunset(self.clock.now_seconds())?;
            }
            deprecation.check_brownout(&operation.documented.id, &self.brownouts, self.clock.now())?;
        }
        let media_type = negotiation::select(request.headers(), operation)?;
        size_limits::check_content_length(request, limits.body_bytes)?;
        Ok(media_type)
    }

    async fn call_operation(&self, request: Request, mut deadline: Deadline) -> Result<Response, RequestError> {
        let response = deadline.run(self.operations.call(request)).await??.into_response();
        Ok(errors::reject_unserialized(response)?)
    }

    /// Runs the stages from the result of the operation to the response.
    async fn finish(
        &self,
        result: Result<Response, RequestError>,
        mut context: RequestContext,
        capture: Option<RequestCapture<'_>>,
    ) -> Response {
        let is_head = context.method == Method::HEAD;
        let mut response = result.unwrap_or_else(|error| errors::into_response(error, &mut context));
        headers::write_context(&context, response.headers_mut());
        base_path::write_headers(&self.base_path, &mut response);
        if is_head {
            response = headers::without_body(response);
        }
        let captured = match capture {
            Some(capture) => capture.select(&context, &mut response, &*self.clock).await,
            None => None,
        };
        if context.requests_capture && context.operation.is_some() {
            capture::write_result(captured.is_some(), response.headers_mut());
        }
        let validator = self.response_validator.as_ref().filter(|_| !is_head);
        let validation = validator
            .zip(context.operation)
            .and_then(|(validator, operation)| validator.start(operation.documented, &mut response));
        let carries_tokens = context.operation.is_some_and(|operation| operation.carries_tokens());
        if let Some(encoding) = context.encoding.take_if(|_| !carries_tokens)
            && compression::is_compressible(&response)
        {
            response = compression::compress(response, encoding, !is_head);
        }
        let duration = context.started.elapsed();
        headers::complete(&mut response, &context.request_id, duration, self.is_https);
        let span = trace::complete(&mut context, &mut response, self.is_https);
        if let Some(cors) = &context.cors {
            cors.write_headers(response.headers_mut());
        }
        if let Some(validation) = validation {
            validation.set_headers(&response);
        }
        access_log::write(&context, &response, duration);
        if let Some(metrics) = &self.metrics {
            metrics::record(metrics, &context, &response, duration);
        }
        if let Some(captured) = captured {
            captured.record(&context, &response, duration);
        }
        usage::count(&self.usage, &context, &mut response, duration, span);
        response
    }

    /// Request ID and client address, for audit events.
    fn origin(&self, request: &Request, context: &RequestContext) -> RequestOrigin {
        let peer = request.remote_addr().as_socket_addr().map_or(NO_ADDRESS, |peer| peer.ip());
        let address = client_address(peer, request.headers(), &self.trusted_proxies);
        RequestOrigin {
            request_id: Some(context.request_id.clone()),
            address: Some(address).filter(|address| *address != NO_ADDRESS),
            api_client_id: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_result<'a, F>(_: impl FnOnce(&'a Pipeline<poem::Route>, Request) -> F) -> usize
    where
        F: Future,
    {
        size_of::<F>()
    }

    #[test]
    fn future_of_a_request_is_small() {
        // It is allocated and moved for each request. An `async` function with a future as its argument doubles the size of that future.
        let size = size_of_result(<Pipeline<poem::Route> as Endpoint>::call);
        assert!(size < 16 * 1024, "{size} bytes");
    }
}
