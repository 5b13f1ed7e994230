//! Request headers that v2 understands: conditions (RFC 9110, section 13) and the idempotency key.

use document::{Location, ViolationCode};
use poem::{Request, RequestBody, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef},
};

use crate::{
    ApiError, Detail, ErrorCode,
    conditional::{self, ETagCondition},
};

/// How long an idempotency key may be, in characters.
pub const MAX_KEY: usize = 255;

/// The states a change is meant for: `If-Match`.
#[derive(Clone, Debug)]
pub struct IfMatch(pub Option<ETagCondition>);

/// The states the client has already: `If-None-Match`. Read to refuse a malformed one; the server acts on it for every
/// answer that has an `ETag`.
#[derive(Clone, Debug)]
pub struct IfNoneMatch(pub Option<ETagCondition>);

/// Names one creation, however often it is sent: `Idempotency-Key` (an expired draft, spelled here and nowhere else).
#[derive(Clone, Debug)]
pub struct IdempotencyKey(pub Option<String>);

fn malformed(name: &str, why: String) -> ApiError {
    let detail = Detail {
        location: Location::Header(name.to_owned()),
        code: ViolationCode::InvalidFormat.as_str(),
        message: why,
    };
    ApiError { details: vec![detail], ..ApiError::new(ErrorCode::InvalidHeader) }
}

/// `*`, or entity tags; an empty element between commas is overlooked.
const TAGS: &str =
    r#"^[ \t,]*(\*|(W/)?"[!#-~\u0080-\u00FF]*"([ \t]*,[ \t,]*(W/)?"[!#-~\u0080-\u00FF]*"){0,99})[ \t]*(,[ \t,]*)?$"#;

impl IfMatch {
    const PATTERN: &'static str = TAGS;

    fn read(request: &Request) -> Result<Self, ApiError> {
        // Whoever asks that there be nothing yet must not overwrite what is there (RFC 9110, section 13.1.2): no state will do.
        if let Some(ETagCondition::Any) = tags(request, header::IF_NONE_MATCH, "If-None-Match")? {
            return Ok(Self(Some(ETagCondition::Listed(Vec::new()))));
        }
        tags(request, header::IF_MATCH, "If-Match").map(Self)
    }
}

impl IfNoneMatch {
    const PATTERN: &'static str = TAGS;

    fn read(request: &Request) -> Result<Self, ApiError> {
        tags(request, header::IF_NONE_MATCH, "If-None-Match").map(Self)
    }
}

fn tags(request: &Request, header: header::HeaderName, name: &str) -> Result<Option<ETagCondition>, ApiError> {
    conditional::parse(request.headers().get_all(header)).map_err(|why| malformed(name, why.to_string()))
}

impl IdempotencyKey {
    const NAME: &'static str = "Idempotency-Key";
    const PATTERN: &'static str = r#"^("([ !#-\[\]-~]|\\["\\]){1,255}"|[!#-+\--:<-\[\]-~]{1,255})$"#;

    /// Quoted as a string of structured fields (RFC 9651), or bare.
    fn read(request: &Request) -> Result<Self, ApiError> {
        let mut sent = request.headers().get_all(Self::NAME).iter();
        let Some(value) = sent.next() else { return Ok(Self(None)) };
        let refuse = |why: &str| malformed(Self::NAME, why.to_owned());
        if sent.next().is_some() {
            return Err(refuse("must be sent once"));
        }
        let text = value.to_str().map_err(|_| refuse("must be of visible ASCII characters"))?;
        let key = match text.strip_prefix('"') {
            Some(rest) => unquoted(rest).ok_or_else(|| refuse("is not a quoted string"))?,
            None => text.trim().to_owned(),
        };
        if key.is_empty() || key.len() > MAX_KEY || text.len() > MAX_KEY + 2 {
            return Err(refuse("must have 1 to 255 characters"));
        }
        if !text.starts_with('"') && key.contains(['"', '\\', ',', ';', ' ', '\t']) {
            return Err(refuse("must be quoted if it has spaces, quotes, commas or semicolons"));
        }
        Ok(Self(Some(key)))
    }
}

/// What stands between the quotes, its opening one being read.
fn unquoted(rest: &str) -> Option<String> {
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
    fn a_key_is_quoted_or_bare() {
        let good = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(key("8e03978e-40d5-43dd-bc93-6894a57f9324"), good("8e03978e-40d5-43dd-bc93-6894a57f9324"));
        assert_eq!(key("\"a b, c\""), good("a b, c"));
        assert_eq!(key(r#""a\"b\\c""#), good(r#"a"b\c"#));
        assert_eq!(key(&"k".repeat(255)), good(&"k".repeat(255)));
        for bad in ["", "\"\"", "\"open", "\"a\" b", "a b", "a,b", r#""a\x""#, "a\"b", &"k".repeat(256)] {
            assert_eq!(key(bad), Err(ErrorCode::InvalidHeader), "{bad:?}");
        }
        assert_eq!(key(&format!("\"{}\"", r#"\""#.repeat(127))), good(&"\"".repeat(127)));
        assert_eq!(key(&format!("\"{}\"", r#"\""#.repeat(128))), Err(ErrorCode::InvalidHeader));
        assert_eq!(IdempotencyKey::read(&Request::default()).map(|key| key.0).ok(), Some(None));
    }

    #[test]
    fn the_patterns_say_what_the_server_does() {
        let served = |pattern: &str, text: &str, reads: bool| {
            let schema = json!({"type": "string", "pattern": pattern});
            let validator = jsonschema::validator_for(&schema).unwrap();
            assert_eq!(validator.is_valid(&json!(text)), reads, "{text:?}");
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
            // As clients write it: a character is a byte.
            let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
            let request = Request::builder().header(header::IF_MATCH, HeaderValue::from_bytes(&bytes).unwrap());
            served(IfMatch::PATTERN, text, IfMatch::read(&request.finish()).is_ok());
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
            served(IdempotencyKey::PATTERN, text, key(text).is_ok());
        }
        for length in [1, 255, 256] {
            served(IdempotencyKey::PATTERN, &"k".repeat(length), length < 256);
            served(IdempotencyKey::PATTERN, &format!("\"{}\"", "k".repeat(length)), length < 256);
        }
    }
}
