//! Who may call, as argument types: none (anonymous), [`User`], [`Admin`].
//!
//! A handler without one of them is visibly public. How a token is verified is somebody else's business: the server puts
//! an [`Authenticate`] into the request.

use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc};

use poem::{
    Request, RequestBody,
    http::{
        HeaderValue,
        header::{AUTHORIZATION, USER_AGENT},
    },
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use crate::{ApiError, ErrorCode, payload};

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

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Verifies access tokens.
pub trait Authenticate: Send + Sync {
    /// Who sent this token. One answer for everything that is wrong with a token: [`ErrorCode::InvalidToken`].
    fn authenticate<'a>(&'a self, request: &'a Request, token: &'a str) -> BoxFuture<'a, Result<Caller, ApiError>>;
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

async fn caller(request: &Request) -> Result<Caller, ApiError> {
    let header = request.headers().get(AUTHORIZATION).ok_or(ErrorCode::AuthenticationRequired)?;
    let token = bearer_token(header).ok_or(ErrorCode::InvalidToken)?;
    let verifier = request
        .data::<Arc<dyn Authenticate>>()
        .ok_or_else(|| ApiError::new(ErrorCode::InternalError).with_message("no authenticator is set"))?;
    verifier.authenticate(request, token).await
}

/// The credentials of `Bearer <token>`; the scheme is matched without case (RFC 9110, section 11.1).
#[must_use]
pub fn bearer_token(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
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
                let caller = caller(request).await?;
                let check: fn(&Caller) -> Result<(), ApiError> = $check;
                check(&caller)?;
                payload::refuse_bad_parameters(request)?;
                Ok(Self(caller))
            }
        }
    };
}

caller_argument!(User, |_| Ok(()));
caller_argument!(Admin, |caller| if caller.is_admin { Ok(()) } else { Err(ErrorCode::Forbidden.into()) });

#[cfg(test)]
mod tests {
    use super::{HeaderValue, bearer_token};

    #[test]
    fn only_bearer_credentials_are_tokens() {
        for (header, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("", None),
        ] {
            assert_eq!(bearer_token(&HeaderValue::from_static(header)), token, "{header:?}");
        }
    }
}
