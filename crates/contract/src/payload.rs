//! JSON bodies: read strictly, checked against the document, written without a detour.
//!
//! poem-openapi's own `Json` reports the first problem only, as text, and takes numbers for strings. This one reports
//! every violation with its pointer, and the rules it applies are those of the published document.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use document::{BodyError, JsonError, Violation};
use poem::{
    IntoResponse, Request, RequestBody, Response,
    error::ReadBodyError,
    http::{
        HeaderValue,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    },
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions,
    payload::{ParsePayload, Payload},
    registry::{MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{ApiError, Detail, ErrorCode};

/// A JSON body, `application/json`.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

/// A JSON merge patch (RFC 7396), `application/merge-patch+json`: a field left out stays as it is, null clears it.
#[derive(Clone, Debug)]
pub struct MergePatch<T>(pub T);

/// The media type of a [`MergePatch`].
pub const MERGE_PATCH: &str = "application/merge-patch+json";

/// What the server found out about a request before the handler's arguments are read; it puts this into the request.
#[derive(Clone)]
pub struct Incoming {
    /// The operation of the document that the request is for.
    pub operation: &'static document::Operation,
    /// What is wrong with its parameters. Raised after authentication, together with what is wrong with the body.
    pub violations: Vec<Violation>,
    /// How large its body may be, in bytes.
    pub body_limit: usize,
    /// How long its body may take to arrive.
    pub body_timeout: Duration,
    /// What is demanded of its body beyond the schema.
    pub rules: Arc<dyn BodyRules>,
}

/// Rules of bodies that no schema can say. Whoever acts on a body that satisfies its schema applies them; they are asked
/// here of one that does not, so that everything that is wrong with it is said at once.
pub trait BodyRules: Send + Sync {
    /// What else is wrong with the body of this operation.
    fn violations(&self, operation: &str, body: &Value) -> Vec<Detail>;
}

/// Raises what is wrong with the parameters, unless a body is still to be read: then both are raised together.
pub(crate) fn refuse_bad_parameters(request: &Request) -> Result<(), ApiError> {
    match request.extensions().get::<Incoming>() {
        Some(incoming) if !incoming.violations.is_empty() && incoming.operation.body().is_none() => {
            Err(ApiError::invalid(incoming.violations.iter().cloned().map(Detail::from).collect()))
        }
        _ => Ok(()),
    }
}

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        media_type(content_type).eq_ignore_ascii_case(Self::CONTENT_TYPE)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// `application/json; charset=utf-8` is `application/json`.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

impl<T: DeserializeOwned + Send> ParsePayload for Json<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(read_typed(request, body, "application/json").await?))
    }
}

/// Reads a JSON body of this media type, and everything that is wrong with the request.
async fn read_typed<T: DeserializeOwned>(
    request: &Request,
    body: &mut RequestBody,
    expected: &'static str,
) -> Result<T, ApiError> {
    let incoming = request
        .extensions()
        .get::<Incoming>()
        .ok_or_else(|| ApiError::new(ErrorCode::InternalError).with_message("the contract layer is missing"))?;
    let bytes = read(body, incoming).await?;
    if bytes.is_empty() {
        return Err(ApiError::new(ErrorCode::MalformedJson).with_message("A JSON body is required."));
    }
    match request.headers().get(CONTENT_TYPE).map(HeaderValue::to_str) {
        Some(Ok(value)) if media_type(value).eq_ignore_ascii_case(expected) => {}
        _ => {
            let why = format!("Send the body as {expected}.");
            return Err(ApiError::new(ErrorCode::UnsupportedMediaType).with_message(why));
        }
    }
    if request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let why = "Send the body without a Content-Encoding.";
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType).with_message(why));
    }
    let schema = incoming
        .operation
        .body()
        .ok_or_else(|| ApiError::new(ErrorCode::InternalError).with_message("the document knows no body here"))?;
    let mut details: Vec<Detail> = incoming.violations.iter().cloned().map(Detail::from).collect();
    let value = match schema.read(&bytes) {
        Ok(value) => value,
        Err(BodyError::JsonError(malformed)) => return Err(malformed_body(&malformed)),
        Err(BodyError::Invalid(violations)) => {
            details.extend(violations.into_iter().map(Detail::from));
            // It is JSON, or it would be malformed.
            let body = serde_json::from_slice(&bytes).unwrap_or_default();
            for detail in incoming.rules.violations(&incoming.operation.id, &body) {
                let is_said = |said: &Detail| said.location == detail.location && said.code == detail.code;
                if !details.iter().any(is_said) {
                    details.push(detail);
                }
            }
            return Err(ApiError::invalid(details));
        }
    };
    if !details.is_empty() {
        return Err(ApiError::invalid(details));
    }
    // A body that satisfies the document but not the type is a mistake of ours, not the caller's.
    serde_json::from_value(value).map_err(|error| ApiError::new(ErrorCode::InternalError).with_source(error))
}

async fn read(body: &mut RequestBody, incoming: &Incoming) -> Result<Vec<u8>, ApiError> {
    let reading = async { body.take()?.into_bytes_limit(incoming.body_limit).await };
    match tokio::time::timeout(incoming.body_timeout, reading).await {
        Err(_) => Err(ErrorCode::RequestTimeout.into()),
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(ReadBodyError::PayloadTooLarge)) => Err(ErrorCode::PayloadTooLarge.into()),
        // The connection broke or the framing is wrong: nobody may be left to read the answer.
        Ok(Err(error)) => Err(ApiError::new(ErrorCode::MalformedRequest).with_source(error)),
    }
}

fn malformed_body(malformed: &JsonError) -> ApiError {
    let code = match malformed {
        JsonError::InvalidUtf8 => ErrorCode::InvalidUtf8,
        JsonError::Syntax { .. } => ErrorCode::MalformedJson,
        JsonError::DuplicateKey { .. } => ErrorCode::DuplicateKey,
        JsonError::TooDeep { .. } => ErrorCode::JsonTooDeep,
    };
    ApiError::new(code).with_message(malformed.to_string())
}

/// A [`Json`] as it is sent, for whoever wants to see the text first.
#[derive(Clone, Debug)]
pub struct Written<T> {
    text: Vec<u8>,
    what: PhantomData<T>,
}

impl<T: Serialize> Json<T> {
    /// Writes it.
    ///
    /// # Errors
    /// Only a map with keys that are not strings can fail; no schema has one.
    pub fn write(&self) -> serde_json::Result<Written<T>> {
        Ok(Written { text: serde_json::to_vec(&self.0)?, what: PhantomData })
    }
}

impl<T> Written<T> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

impl<T: Send> IntoResponse for Written<T> {
    fn into_response(self) -> Response {
        // The length is told here, so that whoever decides on compression knows it, and HEAD tells it, too.
        Response::builder().content_type("application/json").header(CONTENT_LENGTH, self.text.len()).body(self.text)
    }
}

impl<T: Serialize + Send> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match self.write() {
            Ok(written) => written.into_response(),
            Err(_) => Response::builder().status(poem::http::StatusCode::INTERNAL_SERVER_ERROR).finish(),
        }
    }
}

impl<T: Type + Serialize> ApiResponse for Json<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// As `impl_apirequest_for_payload!` would, but a body without a content type is this payload's to refuse.
macro_rules! body_argument {
    ($name:ident, $media_type:expr) => {
        impl<'a, T: Type + DeserializeOwned + Send> ApiExtractor<'a> for $name<T> {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                T::register(registry);
            }

            fn request_meta() -> Option<MetaRequest> {
                Some(MetaRequest {
                    description: None,
                    content: vec![MetaMediaType { content_type: $media_type, schema: T::schema_ref() }],
                    required: true,
                })
            }

            async fn from_request(
                request: &'a Request,
                body: &mut RequestBody,
                _: ExtractParamOptions<()>,
            ) -> poem::Result<Self> {
                Ok(Self(read_typed(request, body, $media_type).await?))
            }
        }
    };
}

body_argument!(Json, "application/json");
body_argument!(MergePatch, MERGE_PATCH);
