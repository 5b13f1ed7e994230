//! Arguments that require an authenticated caller: [`User`], [`Admin`], [`UserSession`] and [`AdminSession`].
//!
//! An operation without them is public. The server verifies the access token or the API key and inserts the [`Caller`] into
//! the extensions of the request.

use std::net::IpAddr;

use poem::{Request, RequestBody, http::header::USER_AGENT};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use crate::{
    ApiError, ErrorCode, Permissions,
    operation::{Access, Argument, Scope},
};

/// The authenticated caller of a request: an account, and the credential that represents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// ID of the user.
    pub user_id: i64,
    /// Whether the user is an administrator now, not when the token was issued.
    pub is_admin: bool,
    /// The credential of the request.
    pub credential: Credential,
}

/// What a request was authenticated with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token of a session.
    Session(SessionToken),
    /// A key of an API client.
    ApiClient(ApiClientCaller),
}

/// An access token and its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionToken {
    /// ID of the session.
    pub session_id: i64,
    /// ID of the token (`jti`).
    pub token_id: String,
    /// Expiry of the token, in seconds since 1970.
    pub token_expires_at: i64,
}

/// The API client whose key a request contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiClientCaller {
    /// ID of the API client.
    pub id: i64,
    /// Name of the API client.
    pub name: String,
    /// Scopes of the API client.
    pub scopes: Vec<Scope>,
    /// Requests per minute; `None` for the general rate limit.
    pub rate_limit: Option<u32>,
}

impl Caller {
    /// Returns the API client; `None` if the request has an access token.
    #[must_use]
    pub const fn api_client(&self) -> Option<&ApiClientCaller> {
        match &self.credential {
            Credential::ApiClient(client) => Some(client),
            Credential::Session(_) => None,
        }
    }

    /// Returns the session; `None` if the request has the key of an API client.
    #[must_use]
    pub const fn session(&self) -> Option<&SessionToken> {
        match &self.credential {
            Credential::Session(token) => Some(token),
            Credential::ApiClient(_) => None,
        }
    }

    /// Returns the operations that the caller may call.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        match &self.credential {
            Credential::ApiClient(client) => Permissions::of_api_client(self.is_admin, &client.scopes),
            Credential::Session(_) => Permissions::of_session(self.is_admin),
        }
    }

    /// Checks that the caller may call an operation with this access and method.
    ///
    /// # Errors
    /// `SESSION_REQUIRED`, `INSUFFICIENT_SCOPE` or `FORBIDDEN`.
    pub fn authorize(&self, access: Access, method: &str) -> Result<(), ApiError> {
        self.permissions().check(access, method)
    }
}

/// The client of a request, for the list of sessions and for the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// `User-Agent`, truncated to 200 characters.
    pub user_agent: Option<String>,
    /// Origin of the request.
    pub origin: RequestOrigin,
    /// Whether the request is a [`ServerReplay`].
    pub is_replay: bool,
}

/// Request ID and client address. The server inserts it into the extensions of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestOrigin {
    /// Value of `X-Request-ID`.
    pub request_id: Option<String>,
    /// IP address of the client, if known.
    pub address: Option<IpAddr>,
    /// ID of the API client whose key the request contains.
    pub api_client_id: Option<i64>,
}

/// Marks a request as the replay of an incident. The server inserts it into the extensions of a request that a server of the same
/// deployment has signed.
#[derive(Clone, Copy, Debug)]
pub struct ServerReplay;

impl<'a> poem::FromRequest<'a> for ClientInfo {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        // Not only ASCII: `to_str` would reject other characters.
        let user_agent = request.headers().get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let origin = request.extensions().get::<RequestOrigin>().cloned().unwrap_or_default();
        let is_replay = request.extensions().get::<ServerReplay>().is_some();
        Ok(Self { user_agent: user_agent.map(|name| name.chars().take(200).collect()), origin, is_replay })
    }
}

impl Argument for ClientInfo {}

/// The first argument of an operation for users and for API clients. Requests that read need the scope `read`, others `write`.
#[derive(Clone, Debug)]
pub struct User(pub Caller);

/// The first argument of an operation for administrators, and for their API clients with the scope `admin`.
#[derive(Clone, Debug)]
pub struct Admin(pub Caller);

/// The first argument of an operation for logged-in users that no API client may call, because it changes credentials.
#[derive(Clone, Debug)]
pub struct UserSession(pub SessionCaller);

/// The first argument of an operation for logged-in administrators that no API client may call.
#[derive(Clone, Debug)]
pub struct AdminSession(pub SessionCaller);

/// A caller with an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCaller {
    /// ID of the user.
    pub user_id: i64,
    /// The access token.
    pub token: SessionToken,
}

/// Name of the security scheme of access tokens and keys in `Authorization`.
pub const BEARER_AUTH: &str = "bearerAuth";
/// Name of the security scheme of keys in [`API_KEY_HEADER`].
pub const API_KEY_AUTH: &str = "apiKeyAuth";
/// Header that contains the key of an API client.
pub const API_KEY_HEADER: &str = "X-API-Key";

fn register_bearer(registry: &mut Registry) {
    registry.create_security_scheme(
        BEARER_AUTH,
        MetaSecurityScheme {
            ty: "http",
            description: Some(
                "The `access_token` in the response of `register`, `login` or `refreshSession`. Operations that also list \
                 `apiKeyAuth` accept the key of an API client instead.",
            ),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("JWT"),
            flows: None,
            openid_connect_url: None,
        },
    );
}

fn register_api_key(registry: &mut Registry) {
    registry.create_security_scheme(
        API_KEY_AUTH,
        MetaSecurityScheme {
            ty: "apiKey",
            description: Some(
                "The key of an API client, `blk_…`. An API client acts for one account, within its scopes: \
                 `read` for GET, `write` for other methods, `admin` for the operations of administrators. \
                 `Authorization: Bearer blk_…` is equivalent.",
            ),
            name: Some(API_KEY_HEADER),
            key_in: Some("header"),
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        },
    );
}

/// Returns the caller if it may call an operation with this access.
fn authorized(request: &Request, access: Access) -> Result<Caller, ApiError> {
    let caller: Caller = request.extensions().get().cloned().ok_or(ErrorCode::AuthenticationRequired)?;
    caller.authorize(access, request.method().as_str())?;
    Ok(caller)
}

fn session(caller: Caller) -> Result<SessionCaller, ApiError> {
    match caller.credential {
        Credential::Session(token) => Ok(SessionCaller { user_id: caller.user_id, token }),
        Credential::ApiClient(_) => Err(ErrorCode::SessionRequired.into()),
    }
}

macro_rules! caller_argument {
    ($name:ident, $access:expr, $convert:expr, [$($scheme:expr, $register:ident);+]) => {
        impl<'a> ApiExtractor<'a> for $name {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                $($register(registry);)+
            }

            fn security_schemes() -> Vec<&'static str> {
                vec![$($scheme),+]
            }

            async fn from_request(
                request: &'a Request,
                _: &mut RequestBody,
                _: ExtractParamOptions<()>,
            ) -> poem::Result<Self> {
                let caller = authorized(request, $access)?;
                Ok(Self($convert(caller)?))
            }
        }
    };
}

caller_argument!(User, Access::User, Ok::<_, ApiError>, [BEARER_AUTH, register_bearer; API_KEY_AUTH, register_api_key]);
caller_argument!(Admin, Access::Admin, Ok::<_, ApiError>, [BEARER_AUTH, register_bearer; API_KEY_AUTH, register_api_key]);
caller_argument!(UserSession, Access::UserSession, session, [BEARER_AUTH, register_bearer]);
caller_argument!(AdminSession, Access::AdminSession, session, [BEARER_AUTH, register_bearer]);
