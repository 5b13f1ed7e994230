//! The outermost endpoint.

use std::{
    borrow::Cow,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use contract::{
    ApiError, Authenticate, Detail, ErrorCode, Operation,
    caller::{RequestOrigin, bearer_token},
    listing::{Format, NegotiatedFormat},
    negotiation,
    operation::Limit,
    payload::{BodyRules, Incoming},
};
use document::{PathItem, Violation};
use futures_util::FutureExt;
use ipnet::IpNet;
use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{
        HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, CONTENT_LENGTH},
    },
};
use tracing::{Instrument, info_span};

use super::{
    ResponseCache, ResponseValidator, UnversionedRoutes, access_log,
    cache::Key as AnswerKey,
    client_address, compression,
    conditions::Known,
    cors::{Cors, Grant},
    deprecation::Notice,
    errors::{self, Failure},
    facts::Facts,
    fault::Fault,
    headers,
    limits::{NOWHERE, RateLimits},
    observed::{Observed, Seen},
    request_id, versions,
};
use crate::{
    auth::AccessTokens,
    capture::Recorder,
    config::RequestLimits,
    db::panic_message,
    domain::{Clock, Throttled, UserId},
    endpoints::{Authenticator, Proven, Verified},
};

/// The header block may have this many bytes, the URL that many.
const MAX_HEADERS: usize = 16 * 1024;
pub(super) const MAX_URL: usize = 8 * 1024;

/// What every request passes through.
pub struct Pipeline<E> {
    /// Every version, at its path.
    pub(crate) versions: E,
    pub(crate) system: UnversionedRoutes,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) cache: Option<ResponseCache>,
    pub(crate) cors: Option<Cors>,
    pub(crate) response_validator: Option<ResponseValidator>,
    /// Who keeps failures, unless none are kept.
    pub(crate) recorder: Option<Recorder>,
    pub(crate) gone_after_sunset: bool,
    pub(crate) tokens: Arc<AccessTokens>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rate_limits: Option<RateLimits>,
    pub(crate) rules: Arc<dyn BodyRules>,
    pub(crate) limits: RequestLimits,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Whether clients reach the server over HTTPS, here or at a proxy.
    pub(crate) is_https: bool,
    /// Whether operations fail on demand: under test only.
    pub(crate) has_faults: bool,
}

impl<E: Endpoint> Endpoint for Pipeline<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let request_id = request_id::of(&request);
        let span = info_span!("request", id = request_id.as_str());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let trace_id = request_id::trace_id(&request).map(str::to_owned);
        let grant = self.cors.as_ref().map(|cors| cors.grant(&request));
        let is_trusted =
            grant.as_ref().is_some_and(Grant::is_granted) || !compression::is_asked_by_another_site(&request);
        let encoding = compression::preferred(request.headers()).filter(|_| is_trusted);
        let is_preflight = grant.as_ref().is_some_and(|grant| grant.is_preflight);
        let mut facts = Facts { is_preflight, ..Facts::default() };
        let observed =
            self.recorder.as_ref().map(|recorder| Observed::of(&mut request, recorder, self.clock.now().micros()));

        let answering =
            AssertUnwindSafe(self.answer(request, &request_id, &mut facts)).catch_unwind().instrument(span.clone());
        let outcome = answering.await.unwrap_or_else(|panic| {
            Err(ApiError::new(ErrorCode::InternalError).with_source(format!("panic: {}", panic_message(&*panic))))
        });

        let mut failure = Failure::default();
        let mut response = outcome.unwrap_or_else(|error| {
            let _entered = span.enter();
            errors::log(&error);
            // Refused by a limit that only who had read the request could tell.
            if let Some(Throttled(verdict)) = error.source.as_deref().and_then(|source| source.downcast_ref()) {
                facts.verdict = Some(*verdict);
            }
            let has_envelope = facts.version.is_some_and(|version| version.has_envelopes);
            let response = errors::respond(&error, has_envelope, uri.path(), &request_id);
            failure.0 = Some(error);
            response
        });
        facts.write(response.headers_mut());
        if method == Method::HEAD {
            response = headers::without_body(response);
        }
        let mut kept = None;
        if let Some(observed) = observed.filter(|observed| observed.wants(&facts, &response, &failure, &*self.clock)) {
            let answer = observed.read(&mut response).await;
            kept = Some((observed, answer));
        }
        let watched = self.response_validator.as_ref().zip(facts.operation).filter(|_| method != Method::HEAD);
        let watched = watched.and_then(|(check, operation)| check.watch(operation, &mut response));
        let _entered = span.enter();
        if let Some(encoding) = encoding
            && !facts.carries_tokens
            && compression::is_worth_it(&response)
        {
            response = compression::compress(response, encoding, method != Method::HEAD);
        }
        let took = started.elapsed();
        headers::complete(&mut response, &request_id, took, self.is_https);
        if let Some(grant) = grant {
            grant.write(response.headers_mut());
        }
        if let Some(watched) = watched {
            watched.with_headers(&response);
        }
        // The routes outside the versions are fixed: what is found there holds nothing of the client's.
        let path = match self.system.find(uri.path()) {
            Some(_) => uri.path().to_owned(),
            None => versions::without_strange_words(uri.path()),
        };
        let entry = access_log::Entry {
            method: &method,
            path: &path,
            operation: facts.operation.map(|operation| operation.id.as_str()),
            user: facts.user,
            trace_id: trace_id.as_deref(),
        };
        entry.write(&response, took);
        if let Some((observed, answer)) = kept {
            let target = uri.path_and_query().map_or("", |target| target.as_str());
            let (request_id, trace_id) = (request_id.as_str(), trace_id.as_deref());
            let seen = Seen { facts: &facts, method: &method, target, request_id, trace_id, failure: &failure };
            observed.keep(seen, &response, answer, took);
        }
        Ok(response)
    }
}

impl<E: Endpoint> Pipeline<E> {
    async fn answer(&self, mut request: Request, request_id: &str, facts: &mut Facts) -> Result<Response, ApiError> {
        if request.headers().get_all(AUTHORIZATION).iter().nth(1).is_some() {
            // Whoever stands between us and the client may have looked at another one of them than we would.
            request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("repeated"));
        }
        facts.version = versions::of(request.uri().path());
        if facts.is_preflight && facts.version.is_none() && self.system.find(request.uri().path()).is_none() {
            // It names the header Accept-Version, and not what is going to be in it.
            facts.allow = versions::allow_in_any(request.uri().path()).map(Cow::Owned);
            return facts.allow.as_ref().map(|_| StatusCode::NO_CONTENT.into()).ok_or(ErrorCode::RouteNotFound.into());
        }
        self.negotiate_version(&mut request, facts)?;
        // Cheap: a reference count.
        let uri = request.uri().clone();
        let Some((version, found)) = versions::find(uri.path()) else {
            within_limits(&request)?;
            return self.outside(&request, facts).await;
        };
        facts.accept_patch =
            found.item.operation("PATCH").and_then(|patch| patch.request_media_types.first()).map(String::as_str);
        let operation = match found.item.operation(request.method().as_str()) {
            Some(operation) => operation,
            None => return not_offered(request.method(), found.item, facts),
        };
        let declared = version.operation(&operation.id);
        facts.operation = Some(operation);
        // Answers that carry tokens: those of the operations that open sessions.
        facts.carries_tokens = operation.tag == "Auth";
        facts.notice = declared
            .and_then(|declared| declared.deprecation.as_ref())
            .map(|deprecation| Notice::new(deprecation, &found.params));
        within_limits(&request)?;
        let address = self.address_of(&request);
        let limit = declared.map_or(Limit::General, |declared| declared.limit);
        let arrival = RequestOrigin { request_id: Some(request_id.to_owned()), address };
        self.count(&mut request, limit, &arrival, facts).await?;
        self.refuse_what_is_gone(declared, facts)?;
        let Some(media_type) = negotiation::negotiate(request.headers(), &operation.response_media_types) else {
            let offered = format!("This operation answers with {}.", operation.response_media_types.join(", "));
            return Err(ApiError::new(ErrorCode::NotAcceptable).with_message(offered));
        };
        request.extensions_mut().insert(NegotiatedFormat(Format::of(media_type)));
        request.extensions_mut().insert(arrival);
        let violations = operation.validate_parameters(&found.params, uri.query());
        if !violations.is_empty() && !operation.is_secured && operation.body().is_none() {
            return Err(ApiError::invalid(violations.into_iter().map(Detail::from).collect()));
        }
        // An operation without a body does not read one.
        if operation.body().is_some() {
            self.within_body_limit(&request)?;
        }
        if !violations.is_empty() && operation.body().is_some() {
            // The body has the last word and names everything at once: a parameter that cannot be read must not come
            // before it. What stands in its place is never used.
            *request.uri_mut() = versions::readable(&operation.path);
        }
        let is_cached = declared.is_some_and(|declared| declared.is_cached) && violations.is_empty();
        request.extensions_mut().insert(Incoming {
            operation,
            violations: violations.clone(),
            body_limit: self.limits.body_bytes,
            body_timeout: self.limits.request_timeout,
            rules: Arc::clone(&self.rules),
        });
        if self.has_faults
            && let Some(fault) = Fault::asked_by(&request)?
        {
            return fault.happen(&mut request, &self.authenticator).await;
        }
        if request.method() == Method::HEAD {
            request.set_method(Method::GET);
        }
        let known = Known::of(&request);
        let response = match self.cache.as_ref().filter(|_| is_cached && !known.is_malformed()) {
            Some(cache) => self.remembered(cache, request, media_type).await?,
            None => self.ask(request, violations).await?,
        };
        Ok(known.answer(response))
    }

    /// Answers from memory, or asks and remembers.
    async fn remembered(
        &self,
        cache: &ResponseCache,
        mut request: Request,
        media_type: &'static str,
    ) -> Result<Response, ApiError> {
        let Some((caller, revision)) = self.authenticator.caller_of(&request).await? else {
            return self.ask(request, Vec::new()).await;
        };
        let target = request.uri().path_and_query().map_or("", |target| target.as_str()).to_owned();
        let key = AnswerKey { user: caller.user_id, target, media_type };
        if let Some(response) = cache.get(&key, revision) {
            return Ok(response);
        }
        request.extensions_mut().insert(Proven(caller));
        let response = self.ask(request, Vec::new()).await?;
        Ok(cache.keep(key, revision, response).await)
    }

    async fn ask(&self, mut request: Request, violations: Vec<Violation>) -> Result<Response, ApiError> {
        let authenticator: Arc<dyn Authenticate> = self.authenticator.clone();
        request.set_data(authenticator);
        // A body that trickles in is the client's delay and has a limit of its own; the rest is ours.
        let limit = self.limits.request_timeout.saturating_add(Duration::from_secs(1));
        match tokio::time::timeout(limit, self.versions.call(request)).await {
            Ok(Ok(response)) => Ok(response.into_response()),
            Ok(Err(error)) => Err(errors::translate(error, violations)),
            Err(_) => Err(ApiError {
                retry_after: Some(5),
                ..ApiError::new(ErrorCode::ServiceUnavailable).with_source("the request took too long")
            }),
        }
    }

    /// Leads a path without a version to the version that is asked for.
    fn negotiate_version(&self, request: &mut Request, facts: &mut Facts) -> Result<(), ApiError> {
        let path = request.uri().path();
        if facts.version.is_some() || self.system.find(path).is_some() {
            return Ok(());
        }
        let Some(negotiated) = versions::negotiate(path, request.headers()) else { return Ok(()) };
        facts.is_negotiated = true;
        let (version, mut target) = negotiated?;
        facts.version = Some(version);
        if let Some(query) = request.uri().query() {
            target.push('?');
            target.push_str(query);
        }
        *request.uri_mut() = target.parse().map_err(|_| ErrorCode::RouteNotFound)?;
        Ok(())
    }

    fn refuse_what_is_gone(&self, declared: Option<&Operation>, facts: &Facts) -> Result<(), ApiError> {
        let is_over = declared
            .and_then(|declared| declared.deprecation)
            .is_some_and(|deprecation| deprecation.is_past_sunset(self.clock.now_seconds()));
        match &facts.notice {
            Some(notice) if is_over && self.gone_after_sunset => {
                Err(ApiError::new(ErrorCode::Gone).with_message(format!("Use {} instead.", notice.successor())))
            }
            _ => Ok(()),
        }
    }

    /// The routes outside the versions, and everything that is no route.
    async fn outside(&self, request: &Request, facts: &mut Facts) -> Result<Response, ApiError> {
        let Some(route) = self.system.find(request.uri().path()) else {
            return Err(ErrorCode::RouteNotFound.into());
        };
        facts.is_outside = true;
        match *request.method() {
            Method::GET | Method::HEAD => self.system.answer(route, request).await,
            Method::OPTIONS => {
                facts.allow = Some(UnversionedRoutes::ALLOW.into());
                Ok(StatusCode::NO_CONTENT.into_response())
            }
            _ => {
                facts.allow = Some(UnversionedRoutes::ALLOW.into());
                Err(ErrorCode::MethodNotAllowed.into())
            }
        }
    }

    /// The client's address; `None` where there is no network between.
    fn address_of(&self, request: &Request) -> Option<IpAddr> {
        let peer = request.remote_addr().as_socket_addr().map_or(NOWHERE, |peer| peer.ip());
        Some(client_address::of(peer, request.headers(), &self.trusted_proxies)).filter(|address| *address != NOWHERE)
    }

    /// Counts the request; remembers what its token says, so that it is verified once.
    async fn count(
        &self,
        request: &mut Request,
        limit: Limit,
        arrival: &RequestOrigin,
        facts: &mut Facts,
    ) -> Result<(), ApiError> {
        let token = request.headers().get(AUTHORIZATION).and_then(bearer_token);
        let claims = token.and_then(|token| self.tokens.verify(token, self.clock.now_seconds()).ok());
        facts.user = claims.as_ref().and_then(|claims| claims.sub.parse().ok());
        facts.claimed = claims.as_ref().and_then(|claims| Some((claims.sub.parse().ok()?, claims.sid)));
        if let Some(claims) = claims {
            request.extensions_mut().insert(Verified(claims));
        }
        let Some(rate_limits) = &self.rate_limits else {
            return Ok(());
        };
        let verdict = rate_limits.check(limit, facts.user.map(UserId::new), arrival).await;
        facts.verdict = Some(verdict);
        match verdict.retry_after {
            None => Ok(()),
            Some(_) => {
                Err(ApiError { retry_after: verdict.retry_after, ..ApiError::new(ErrorCode::RateLimitExceeded) })
            }
        }
    }

    /// Refuses a body that says it is too large, before any of it is read.
    fn within_body_limit(&self, request: &Request) -> Result<(), ApiError> {
        let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        match length.and_then(|length| length.parse::<usize>().ok()) {
            Some(length) if length > self.limits.body_bytes => Err(ErrorCode::PayloadTooLarge.into()),
            _ => Ok(()),
        }
    }
}

fn within_limits(request: &Request) -> Result<(), ApiError> {
    let url = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if url > MAX_URL {
        return Err(ErrorCode::UriTooLong.into());
    }
    // As they travelled: name, colon, space, value, line end.
    let block: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if block > MAX_HEADERS { Err(ErrorCode::HeadersTooLarge.into()) } else { Ok(()) }
}

fn not_offered(method: &Method, item: &'static PathItem, facts: &mut Facts) -> Result<Response, ApiError> {
    facts.allow = Some(item.allow().into());
    if method == Method::OPTIONS {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        let offered = format!("This path offers {}.", item.allow());
        Err(ApiError::new(ErrorCode::MethodNotAllowed).with_message(offered))
    }
}
