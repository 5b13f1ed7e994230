//! Request headers: conditions (RFC 9110, section 13) and the idempotency key.

use openapi_model::{Location, ViolationCode};
use poem::{
    Request, RequestBody,
    http::header::{self, HeaderName},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef},
};

use crate::{
    ApiError, Detail, ErrorCode,
    conditional::{self, ETagCondition},
    operation::{Argument, ArgumentKind},
};

/// Maximum length of an idempotency key in characters.
pub const MAX_KEY: usize = 255;

/// `If-Match`: the entity tags of the states that a change applies to.
#[derive(Clone, Debug)]
pub struct IfMatch {
    /// The header.
    pub condition: Option<ETagCondition>,
    /// `If-None-Match` of the same request: the states that the change does not apply to. Not documented, because clients need
    /// `If-Match`, but honored (RFC 9110, section 13.1.2).
    pub none_match: Option<ETagCondition>,
}

/// `If-None-Match`: the entity tags of the states that the client has. The argument only rejects invalid values; the server
/// evaluates the header for every response with an `ETag`.
#[derive(Clone, Debug)]
pub struct IfNoneMatch(pub Option<ETagCondition>);

/// `Idempotency-Key`: identifies a request, so that a retry does not create another resource.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(pub Option<String>);

fn invalid(name: &str, message: String) -> ApiError {
    let location = Location::Header(name.to_owned());
    let detail = Detail { location, code: ViolationCode::InvalidFormat.as_str(), message };
    ApiError { details: vec![detail], ..ApiError::new(ErrorCode::InvalidHeader) }
}

/// `*`, or a list of entity tags. Empty list elements are ignored.
const ENTITY_TAGS: &str =
    r#"^[ \t,]*(\*|(W/)?"[!#-~\u0080-\u00FF]*"([ \t]*,[ \t,]*(W/)?"[!#-~\u0080-\u00FF]*"){0,99})[ \t]*(,[ \t,]*)?$"#;

impl IfMatch {
    const PATTERN: &'static str = ENTITY_TAGS;

    fn read(request: &Request) -> Result<Self, ApiError> {
        Ok(Self {
            none_match: condition(request, header::IF_NONE_MATCH, "If-None-Match")?,
            condition: condition(request, header::IF_MATCH, "If-Match")?,
        })
    }
}

impl IfNoneMatch {
    const PATTERN: &'static str = ENTITY_TAGS;

    fn read(request: &Request) -> Result<Self, ApiError> {
        condition(request, header::IF_NONE_MATCH, "If-None-Match").map(Self)
    }
}

fn condition(request: &Request, header: HeaderName, name: &str) -> Result<Option<ETagCondition>, ApiError> {
    conditional::parse(request.headers().get_all(header)).map_err(|error| invalid(name, error.to_string()))
}

impl IdempotencyKey {
    const NAME: &'static str = "Idempotency-Key";
    const PATTERN: &'static str = r#"^("([ !#-\[\]-~]|\\["\\]){1,255}"|[!#-+\--:<-\[\]-~]{1,255})$"#;

    /// Parses a string of structured fields (RFC 9651), with or without quotes.
    fn read(request: &Request) -> Result<Self, ApiError> {
        let mut values = request.headers().get_all(Self::NAME).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let reject = |message: &str| invalid(Self::NAME, message.to_owned());
        if values.next().is_some() {
            return Err(reject("must be sent once"));
        }
        let text = value.to_str().map_err(|_| reject("must contain only visible ASCII characters"))?;
        let key = match text.strip_prefix('"') {
            Some(rest) => unquote(rest).ok_or_else(|| reject("must be a valid quoted string"))?,
            None => text.trim().to_owned(),
        };
        if key.is_empty() || key.len() > MAX_KEY || text.len() > MAX_KEY + 2 {
            return Err(reject("must have 1 to 255 characters"));
        }
        if !text.starts_with('"') && key.contains(['"', '\\', ',', ';', ' ', '\t']) {
            return Err(reject("must be quoted if it contains spaces, quotes, backslashes, commas or semicolons"));
        }
        Ok(Self(Some(key)))
    }
}

/// Returns the content of a quoted string, without its opening quote.
fn unquote(rest: &str) -> Option<String> {
    let mut key = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\') => key.push(escaped),
                _ => return None,
            },
            visible @ ' '..='~' => key.push(visible),
            _ => return None,
        }
    }
    characters.as_str().is_empty().then_some(key)
}

macro_rules! header_argument {
    ($name:ident, $max_length:expr) => {
        impl Argument for $name {
            const KIND: ArgumentKind = ArgumentKind::$name;
        }

        impl<'a> ApiExtractor<'a> for $name {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
            const PARAM_IS_REQUIRED: bool = false;
            type ParamType = String;
            type ParamRawType = String;

            fn param_in() -> Option<MetaParamIn> {
                Some(MetaParamIn::Header)
            }

            fn param_schema_ref() -> Option<MetaSchemaRef> {
                let schema = MetaSchema {
                    max_length: Some($max_length),
                    pattern: Some(Self::PATTERN.to_owned()),
                    ..MetaSchema::new("string")
                };
                Some(MetaSchemaRef::Inline(Box::new(schema)))
            }

            async fn from_request(
                request: &'a Request,
                _: &mut RequestBody,
                _: ExtractParamOptions<String>,
            ) -> poem::Result<Self> {
                Ok(Self::read(request)?)
            }
        }
    };
}

header_argument!(IfMatch, conditional::MAX_LENGTH);
header_argument!(IfNoneMatch, conditional::MAX_LENGTH);
header_argument!(IdempotencyKey, 257);

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn key(value: &str) -> Result<Option<String>, ErrorCode> {
        let request = Request::builder().header(IdempotencyKey::NAME, value).finish();
        IdempotencyKey::read(&request).map(|key| key.0).map_err(|error| error.code)
    }

    #[test]
    fn key_can_be_quoted_or_unquoted() {
        let accepted = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(key("8e03978e-40d5-43dd-bc93-6894a57f9324"), accepted("8e03978e-40d5-43dd-bc93-6894a57f9324"));
        assert_eq!(key("\"a b, c\""), accepted("a b, c"));
        assert_eq!(key(r#""a\"b\\c""#), accepted(r#"a"b\c"#));
        assert_eq!(key(&"k".repeat(255)), accepted(&"k".repeat(255)));
        for rejected in ["", "\"\"", "\"open", "\"a\" b", "a b", "a,b", r#""a\x""#, "a\"b", &"k".repeat(256)] {
            assert_eq!(key(rejected), Err(ErrorCode::InvalidHeader), "{rejected:?}");
        }
        assert_eq!(key(&format!("\"{}\"", r#"\""#.repeat(127))), accepted(&"\"".repeat(127)));
        assert_eq!(key(&format!("\"{}\"", r#"\""#.repeat(128))), Err(ErrorCode::InvalidHeader));
        assert_eq!(IdempotencyKey::read(&Request::default()).map(|key| key.0).ok(), Some(None));
    }

    #[test]
    fn patterns_match_exactly_the_accepted_values() {
        let check = |pattern: &str, text: &str, is_accepted: bool| {
            let schema = json!({"type": "string", "pattern": pattern});
            let validator = jsonschema::validator_for(&schema).unwrap();
            assert_eq!(validator.is_valid(&json!(text)), is_accepted, "{text:?}");
        };
        for text in [
            "*",
            "* ",
            ",*,",
            "*,*",
            "* *",
            "*, \"a\"",
            "\"a\", *",
            "",
            ",",
            "a",
            "\"a\"",
            "\"\"",
            "W/\"a\"",
            "w/\"a\"",
            "W/ \"a\"",
            "\"a\"\"b\"",
            "\"a\" \"b\"",
            "\"a\",\"b\"",
            " \"a\" ,\t, W/\"b\" , ",
            "\"a b\"",
            "\"a",
            "a\"",
            "\"a\\\"",
            "\"a,b\"",
            "W/*",
            "\"a\"W/",
            "\"\u{e9}\"",
        ] {
            // One byte per character (Latin-1).
            let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
            let request = Request::builder().header(header::IF_MATCH, HeaderValue::from_bytes(&bytes).unwrap());
            check(IfMatch::PATTERN, text, IfMatch::read(&request.finish()).is_ok());
        }
        for text in [
            "a",
            "\"a\"",
            "",
            "\"\"",
            "a b",
            "\"a b\"",
            "a,b",
            "\"a,b\"",
            "a;b",
            "a\"b",
            r#""a"b""#,
            r#""a\"b""#,
            r"a\b",
            r#""a\b""#,
            r#""a\\""#,
            r#""a\""#,
            "a-b",
            "a+b",
            "a:b",
            "<a>",
            "[a]",
            "{a}",
            "~",
            "!",
            "\"a\tb\"",
            "a\tb",
        ] {
            check(IdempotencyKey::PATTERN, text, key(text).is_ok());
        }
        for length in [1, 255, 256] {
            check(IdempotencyKey::PATTERN, &"k".repeat(length), length < 256);
            check(IdempotencyKey::PATTERN, &format!("\"{}\"", "k".repeat(length)), length < 256);
        }
    }
}
