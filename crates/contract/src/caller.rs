//! Arguments that require an authenticated caller: [`User`] and [`Admin`].
//!
//! An operation without them is public. The server verifies the access token and inserts the [`Caller`] into the
//! extensions of the request.

use std::net::IpAddr;

use poem::{Request, RequestBody, http::header::USER_AGENT};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use crate::{ApiError, ErrorCode, operation::Argument};

/// The owner of a valid access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// ID of the user.
    pub user_id: i64,
    /// ID of the session.
    pub session_id: i64,
    /// ID of the token (`jti`).
    pub token_id: String,
    /// Expiry of the token, in seconds since 1970.
    pub token_expires_at: i64,
    /// Whether the user is an administrator now, not when the token was issued.
    pub is_admin: bool,
}

/// The client of a request, for the list of sessions and for the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// `User-Agent`, truncated to 200 characters.
    pub user_agent: Option<String>,
    /// Origin of the request.
    pub origin: RequestOrigin,
}

/// Request ID and client address. The server inserts it into the extensions of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestOrigin {
    /// Value of `X-Request-ID`.
    pub request_id: Option<String>,
    /// IP address of the client, if known.
    pub address: Option<IpAddr>,
}

impl<'a> poem::FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
        let origin = request.extensions().get::<RequestOrigin>().cloned().unwrap_or_default();
        Ok(Self { user_agent: user_agent.map(|name| name.chars().take(200).collect()), origin })
    }
}

impl Argument for Client {}

/// The first argument of an operation that requires a logged-in user.
#[derive(Clone, Debug)]
pub struct User(pub Caller);

/// The first argument of an operation that requires an administrator.
#[derive(Clone, Debug)]
pub struct Admin(pub Caller);

/// Name of the security scheme in the documents.
pub const BEARER_AUTH: &str = "bearerAuth";

fn register_scheme(registry: &mut Registry) {
    registry.create_security_scheme(
        BEARER_AUTH,
        MetaSecurityScheme {
            ty: "http",
            description: Some("The `access_token` in the response of `register`, `login` or `refreshSession`."),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("JWT"),
            flows: None,
            openid_connect_url: None,
        },
    );
}

fn caller(request: &Request) -> Result<Caller, ErrorCode> {
    request.extensions().get().cloned().ok_or(ErrorCode::AuthenticationRequired)
}

macro_rules! caller_argument {
    ($name:ident, $check:expr) => {
        impl<'a> ApiExtractor<'a> for $name {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                register_scheme(registry);
            }

            fn security_schemes() -> Vec<&'static str> {
                vec![BEARER_AUTH]
            }

            async fn from_request(
                request: &'a Request,
                _: &mut RequestBody,
                _: ExtractParamOptions<()>,
            ) -> poem::Result<Self> {
                let caller = caller(request).map_err(ApiError::from)?;
                let check: fn(&Caller) -> Result<(), ApiError> = $check;
                check(&caller)?;
                Ok(Self(caller))
            }
        }
    };
}

caller_argument!(User, |_| Ok(()));
caller_argument!(Admin, |caller| if caller.is_admin { Ok(()) } else { Err(ErrorCode::Forbidden.into()) });
