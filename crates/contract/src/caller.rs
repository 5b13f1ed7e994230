//! Who may call, as argument types: none (anonymous), [`User`], [`Admin`].
//!
//! A handler without one of them is visibly public. The server verifies the access token and puts the [`Caller`] into the
//! extensions of the request.

use std::net::IpAddr;

use poem::{Request, RequestBody, http::header::USER_AGENT};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use crate::{ApiError, ErrorCode};

/// Whoever sent a valid access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub user_id: i64,
    /// The session the token belongs to.
    pub session_id: i64,
    /// The token's own id (`jti`).
    pub token_id: String,
    /// When the token ends, in seconds since 1970.
    pub token_expires_at: i64,
    /// Whether the account is an administrator now (not when the token was made).
    pub is_admin: bool,
}

/// Where a request comes from: for telling sessions apart, and for saying afterwards who did what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The program, as it calls itself: the `User-Agent`, cut to 200 characters.
    pub user_agent: Option<String>,
    /// What the server knows of the request.
    pub arrival: RequestOrigin,
}

/// What the server knows of a request before it looks at it; the server puts this into the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestOrigin {
    /// Its `X-Request-ID`.
    pub request_id: Option<String>,
    /// The address it was sent from, if it is known.
    pub address: Option<IpAddr>,
}

impl<'a> poem::FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
        let arrival = request.extensions().get::<RequestOrigin>().cloned().unwrap_or_default();
        Ok(Self { user_agent: user_agent.map(|name| name.chars().take(200).collect()), arrival })
    }
}

/// What an operation that needs a logged-in user takes as its first argument.
#[derive(Clone, Debug)]
pub struct User(pub Caller);

/// What an operation that is for administrators takes as its first argument.
#[derive(Clone, Debug)]
pub struct Admin(pub Caller);

/// The security scheme's name in the documents.
pub const BEARER_AUTH: &str = "bearerAuth";

fn register_scheme(registry: &mut Registry) {
    registry.create_security_scheme(
        BEARER_AUTH,
        MetaSecurityScheme {
            ty: "http",
            description: Some("The `access_token` that `register`, `login` and `refreshSession` answer with."),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("JWT"),
            flows: None,
            openid_connect_url: None,
        },
    );
}

/// The caller that the server has authenticated and put into the request.
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
