//! JSON bodies, validated against the document.
//!
//! The `Json` of poem-openapi reports only the first problem, as text, and accepts numbers for strings. This one reports all
//! violations with their JSON pointers, and applies the rules of the published document.

use std::{
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use openapi_model::{BodyError, JsonError, traverse::essence};
use poem::{
    IntoResponse, Request, RequestBody, Response,
    http::{
        HeaderMap, HeaderValue, StatusCode,
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

/// A JSON body (`application/json`).
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

/// A JSON merge patch (RFC 7396): omitted fields keep their value, null clears a field.
///
/// Accepted as `application/merge-patch+json` and as `application/json`, because most generated clients send JSON as
/// `application/json`, even if the document declares another type.
#[derive(Clone, Debug)]
pub struct MergePatch<T>(pub T);

const JSON: &[&str] = &["application/json"];
const MERGE_PATCH: &[&str] = &["application/json", "application/merge-patch+json"];

/// The value of `Accept-Patch`: the media types of a [`MergePatch`].
pub const ACCEPT_PATCH: &str = "application/json, application/merge-patch+json";

/// The operation and the rules that validate the body of a request. The server inserts it into the extensions of the request.
#[derive(Clone)]
pub struct BodyContext {
    /// The operation of the request.
    pub operation: &'static openapi_model::Operation,
    /// Rules that the schema of the body cannot express.
    pub rules: Arc<dyn BodyRules>,
    /// The declared fields of the body, as [`openapi_model::Operation::body_inputs`] returns them. Set when the body is validated.
    pub inputs: Arc<AtomicU64>,
}

impl BodyContext {
    fn record_inputs(&self, body: &Value) {
        self.inputs.store(self.operation.body_inputs(body), Ordering::Relaxed);
    }
}

/// Rules for bodies that a schema cannot express. The services apply them to bodies that match the schema. For other bodies,
/// they are applied here, so that the response lists all violations.
pub trait BodyRules: Send + Sync {
    /// Returns the violations in the body of this operation.
    fn violations(&self, operation: &str, body: &Value) -> Vec<Detail>;
}

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        essence(content_type).eq_ignore_ascii_case(Self::CONTENT_TYPE)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: DeserializeOwned + Send> ParsePayload for Json<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(read_typed(request, body).await?))
    }
}

/// The reason for rejecting a body with `Content-Encoding`.
#[derive(Clone, Copy, Debug)]
pub struct CompressedBody;

impl fmt::Display for CompressedBody {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("compressed request body")
    }
}

impl std::error::Error for CompressedBody {}

/// Validates a JSON body and deserializes it. The server has read the body into memory.
async fn read_typed<T: DeserializeOwned>(request: &Request, body: &mut RequestBody) -> Result<T, ApiError> {
    let internal = |source: &'static str| ApiError::new(ErrorCode::InternalError).with_source(source);
    let context = request.extensions().get::<BodyContext>();
    let context = context.ok_or_else(|| internal("the request has no `BodyContext` extension"))?;
    let reading = async { body.take()?.into_bytes().await };
    let bytes = reading.await.map_err(|error| ApiError::new(ErrorCode::MalformedRequest).with_source(error))?;
    let value = validate(request.headers(), &bytes, context, Vec::new())?;
    // A body that matches the document but not the type is a defect of the server.
    serde_json::from_value(value).map_err(|error| ApiError::new(ErrorCode::InternalError).with_source(error))
}

/// Validates a JSON body and its media type.
///
/// # Errors
/// All violations of the body, after `details`: the violations found elsewhere in the request.
pub fn validate(
    headers: &HeaderMap,
    body: &[u8],
    context: &BodyContext,
    mut details: Vec<Detail>,
) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Err(ApiError::new(ErrorCode::MalformedJson).with_message("This operation requires a JSON body."));
    }
    let accepted = &context.operation.request_media_types;
    match headers.get(CONTENT_TYPE).map(HeaderValue::to_str) {
        Some(Ok(value)) if accepted.iter().any(|accepted| accepted.eq_ignore_ascii_case(essence(value))) => {}
        _ => {
            let message = format!("Send the body as {}.", accepted.join(" or "));
            return Err(ApiError::new(ErrorCode::UnsupportedMediaType).with_message(message));
        }
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let message = "Compressed request bodies are not supported: omit Content-Encoding.";
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType).with_message(message).with_source(CompressedBody));
    }
    let schema = context.operation.body();
    let schema =
        schema.ok_or_else(|| ApiError::new(ErrorCode::InternalError).with_source("the document has no body schema"))?;
    match schema.read(body) {
        Ok(value) => {
            context.record_inputs(&value);
            if details.is_empty() {
                return Ok(value);
            }
        }
        Err(BodyError::Json(malformed)) => return Err(malformed_body(&malformed)),
        Err(BodyError::Invalid(violations)) => {
            details.extend(violations.into_iter().map(Detail::from));
            // Fails only if the body has a number that is too large for the parser.
            let value = serde_json::from_slice(body).unwrap_or_default();
            context.record_inputs(&value);
            for detail in context.rules.violations(&context.operation.id, &value) {
                let is_same = |other: &Detail| other.location == detail.location && other.code == detail.code;
                if !details.iter().any(is_same) {
                    details.push(detail);
                }
            }
        }
    }
    Err(ApiError::invalid(details))
}

fn malformed_body(malformed: &JsonError) -> ApiError {
    let code = match malformed {
        JsonError::InvalidUtf8 => ErrorCode::InvalidUtf8,
        JsonError::Syntax { .. } | JsonError::NumberOutOfRange { .. } => ErrorCode::MalformedJson,
        JsonError::DuplicateKey { .. } => ErrorCode::DuplicateKey,
        JsonError::TooDeep { .. } => ErrorCode::JsonTooDeep,
    };
    ApiError::new(code).with_message(malformed.to_string())
}

/// A serialized [`Json`], to compute an ETag from the text.
#[derive(Clone, Debug)]
pub struct SerializedJson<T> {
    text: Vec<u8>,
    schema: PhantomData<T>,
}

impl<T: Serialize> Json<T> {
    /// Serializes the value.
    ///
    /// # Errors
    /// Fails if a map has keys that are not strings; no schema contains one.
    pub fn serialize(&self) -> serde_json::Result<SerializedJson<T>> {
        Ok(SerializedJson { text: serde_json::to_vec(&self.0)?, schema: PhantomData })
    }
}

impl<T: Type> Payload for SerializedJson<T> {
    const CONTENT_TYPE: &'static str = Json::<T>::CONTENT_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T> SerializedJson<T> {
    /// Wraps text that is valid for the schema of `T`.
    #[must_use]
    pub const fn from_text(text: Vec<u8>) -> Self {
        Self { text, schema: PhantomData }
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

impl<T: Send> IntoResponse for SerializedJson<T> {
    fn into_response(self) -> Response {
        // The length is needed for the decision about compression and for HEAD.
        Response::builder().content_type("application/json").header(CONTENT_LENGTH, self.text.len()).body(self.text)
    }
}

/// The reason why the body of a response could not be serialized. It is in the extensions of the response, because
/// `IntoResponse` cannot fail; the server responds with an error instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerializationFailure(pub String);

impl<T: Serialize + Send> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match self.serialize() {
            Ok(serialized) => serialized.into_response(),
            Err(error) => {
                let mut response: Response = StatusCode::INTERNAL_SERVER_ERROR.into();
                response.extensions_mut().insert(SerializationFailure(error.to_string()));
                response
            }
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

/// Like `impl_apirequest_for_payload!`, but the payload rejects bodies without a content type itself.
macro_rules! body_argument {
    ($name:ident, $media_types:expr) => {
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
                    content: $media_types
                        .iter()
                        .map(|content_type| MetaMediaType { content_type, schema: T::schema_ref() })
                        .collect(),
                    required: true,
                })
            }

            async fn from_request(
                request: &'a Request,
                body: &mut RequestBody,
                _: ExtractParamOptions<()>,
            ) -> poem::Result<Self> {
                Ok(Self(read_typed(request, body).await?))
            }
        }
    };
}

body_argument!(Json, JSON);
body_argument!(MergePatch, MERGE_PATCH);
