//! 304 for a client that has the answer already (RFC 9110, section 13.1.2).

use contract::conditional::{self, ETagCondition, MalformedETags};
use poem::{
    Body, Request, Response,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
};

use super::cache::opaque_tag;

/// What the client says it has; a malformed header is the operation's to refuse.
pub(super) struct Known(Result<Option<ETagCondition>, MalformedETags>);

impl Known {
    pub(super) fn of(request: &Request) -> Self {
        if *request.method() != poem::http::Method::GET {
            return Self(Ok(None));
        }
        Self(conditional::parse(request.headers().get_all(IF_NONE_MATCH)))
    }

    /// Whether the operation would refuse what the client says: then nobody may answer in its place.
    pub(super) const fn is_malformed(&self) -> bool {
        self.0.is_err()
    }

    /// The answer, or that the client has it. An answer with a tag may be kept by its client, who asks before using it.
    pub(super) fn answer(&self, mut response: Response) -> Response {
        let Some(tag) = opaque_tag(&response).filter(|_| response.status() == StatusCode::OK) else { return response };
        let same = self.0.as_ref().ok().and_then(Option::as_ref).and_then(|tags| tags.not_modified(tag));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        let Some(same) = same else { return response };
        let (mut parts, _) = response.into_parts();
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.remove(CONTENT_LENGTH);
        if let Ok(same) = HeaderValue::try_from(same) {
            parts.headers.insert(ETAG, same);
        }
        Response::from_parts(parts, Body::empty())
    }
}
