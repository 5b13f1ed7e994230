//! Authenticates the caller of a request in two steps: first verifies the signature of the access token or the checksum of the API
//! key, then the status of the credential and of its account.

use std::sync::Arc;

use contract::{
    ApiError, Caller, ErrorCode,
    caller::{API_KEY_HEADER, ApiClientCaller, Credential, SessionToken},
    operation::{self, Access},
};
use poem::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::{
    auth::{AccessTokens, ApiKey, ApiKeyVerifier, Claims, KnownApiClient, TokenStatusCache},
    db::Db,
    domain::{ApiClientId, ApiKeyStatus, ApiScope, Clock, RateLimitSubject, Role, UserId},
    redis::CacheVersion,
    services::{Error, Revisions},
};

/// The caller of a request.
#[derive(Debug, Default)]
pub(super) enum Identity {
    /// No credentials.
    #[default]
    Anonymous,
    /// Credentials that are neither a valid access token nor an API key.
    InvalidToken,
    /// A token with a valid signature; its session may have ended.
    Verified { user_id: UserId, claims: Arc<Claims> },
    /// A key in the correct format, which may be unknown. `known` is the client of a key that was valid within the last seconds.
    ApiKey { key: ApiKey, known: Option<KnownApiClient> },
    /// A token or key that is active, as is its account. `revision` is the number of changes to the data of the account.
    Authenticated { caller: Caller, revision: u64 },
}

impl Identity {
    /// Returns the account of the token or key.
    pub(super) fn user_id(&self) -> Option<UserId> {
        match self {
            Self::Anonymous | Self::InvalidToken | Self::ApiKey { .. } => None,
            Self::Verified { user_id, .. } => Some(*user_id),
            Self::Authenticated { caller, .. } => Some(UserId::new(caller.user_id)),
        }
    }

    /// Returns the account whose cache version decides whether a cached status is valid.
    pub(super) fn cache_version_account(&self) -> Option<UserId> {
        match self {
            Self::Verified { user_id, .. } => Some(*user_id),
            Self::ApiKey { known, .. } => known.map(|known| known.account),
            _ => None,
        }
    }

    /// Returns the session of the token.
    pub(super) fn session_id(&self) -> Option<i64> {
        match self {
            Self::Anonymous | Self::InvalidToken | Self::ApiKey { .. } => None,
            Self::Verified { claims, .. } => Some(claims.sid),
            Self::Authenticated { caller, .. } => caller.session().map(|token| token.session_id),
        }
    }

    /// Returns the caller, once authenticated.
    pub(super) fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Authenticated { caller, .. } => Some(caller),
            _ => None,
        }
    }

    /// Returns the API client of the key, once authenticated.
    pub(super) fn api_client(&self) -> Option<&ApiClientCaller> {
        self.caller().and_then(Caller::api_client)
    }

    /// Returns the subject whose requests are counted; `None` if the request is counted by its address.
    pub(super) fn rate_limit_subject(&self) -> Option<RateLimitSubject> {
        let api_client = |id, per_minute| RateLimitSubject::ApiClient { id, per_minute };
        match self {
            Self::ApiKey { known, .. } => known.map(|known| api_client(known.id, known.rate_limit)),
            _ => match self.api_client() {
                Some(client) => Some(api_client(ApiClientId::new(client.id), client.rate_limit)),
                None => self.user_id().map(RateLimitSubject::User),
            },
        }
    }

    /// Checks that the caller may call an operation with this access and method.
    ///
    /// # Errors
    /// `FORBIDDEN`; for an API client also `INSUFFICIENT_SCOPE` and `SESSION_REQUIRED`.
    pub(super) fn authorize(&self, access: Access, method: &str) -> Result<(), ApiError> {
        match self.caller() {
            Some(caller) => caller.authorize(access, method),
            None if access.is_admin_only() => Err(ErrorCode::Forbidden.into()),
            None => Ok(()),
        }
    }
}

/// Verifies access tokens and API keys.
pub struct Authenticator {
    pub(crate) tokens: Arc<AccessTokens>,
    pub(crate) api_keys: ApiKeyVerifier,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) token_status: TokenStatusCache,
    pub(crate) revisions: Revisions,
}

impl Authenticator {
    /// Checks the signature and the lifetime of the access token, or the format of the API key, without the database. `is_secured`
    /// tells whether the status of the credential is checked later; the client of a key is not known otherwise.
    pub(super) fn verify(&self, headers: &HeaderMap, is_secured: bool) -> Identity {
        match PresentedCredential::of(headers) {
            PresentedCredential::None => Identity::Anonymous,
            PresentedCredential::Bearer(text) | PresentedCredential::ApiKey(text) if ApiKey::is_recognized(text) => {
                self.verify_key(text, is_secured)
            }
            PresentedCredential::Bearer(text) => self.verify_token(text),
            PresentedCredential::ApiKey(_) | PresentedCredential::Unusable => Identity::InvalidToken,
        }
    }

    fn verify_key(&self, text: &str, is_secured: bool) -> Identity {
        let Some(key) = ApiKey::parse(text) else { return Identity::InvalidToken };
        let known = if is_secured { self.api_keys.known(&key) } else { None };
        Identity::ApiKey { key, known }
    }

    fn verify_token(&self, token: &str) -> Identity {
        let Ok(claims) = self.tokens.verify(token, self.clock.now_seconds()) else { return Identity::InvalidToken };
        match canonical_id(&claims.sub) {
            Some(user_id) => Identity::Verified { user_id: UserId::new(user_id), claims },
            None => Identity::InvalidToken,
        }
    }

    /// Returns the current cache version of the account of a token or key, before the status is checked; `None` if servers do not share
    /// cache versions, or if the account of a key is not known yet.
    pub(super) async fn cache_version(&self, account: Option<UserId>) -> Option<CacheVersion> {
        self.token_status.cache_version(account?).await
    }

    /// Checks that a verified token or key, its session and its account are active. `cache_version` was read during this request.
    ///
    /// # Errors
    /// `AUTHENTICATION_REQUIRED`, `INVALID_TOKEN` or `ACCOUNT_DISABLED`; `SERVICE_UNAVAILABLE` if the database is unavailable.
    pub(super) async fn authenticate(
        &self,
        identity: &mut Identity,
        cache_version: Option<CacheVersion>,
    ) -> Result<(), ApiError> {
        let (user_id, claims) = match identity {
            Identity::Anonymous => return Err(ErrorCode::AuthenticationRequired.into()),
            Identity::InvalidToken => return Err(ErrorCode::InvalidToken.into()),
            Identity::ApiKey { key, .. } => {
                let Some(status) = self.api_keys.verify(key, cache_version).await.map_err(Error::from)? else {
                    // A key that was revoked within the last seconds is not counted for its client any more.
                    *identity = Identity::InvalidToken;
                    return Err(ErrorCode::InvalidToken.into());
                };
                let revision = self.revisions.of(status.client.user_id, status.revision);
                *identity = Identity::Authenticated { caller: api_client_caller(status), revision };
                return Ok(());
            }
            Identity::Verified { user_id, claims } => (*user_id, claims),
            Identity::Authenticated { .. } => return Ok(()),
        };
        let status =
            self.token_status.get(&self.db, claims, cache_version, self.clock.now()).await.map_err(Error::from)?;
        let status = status.filter(|status| status.user_id == user_id).ok_or(ErrorCode::InvalidToken)?;
        if status.disabled {
            return Err(ErrorCode::AccountDisabled.into());
        }
        if status.session_ended || status.token_revoked {
            return Err(ErrorCode::InvalidToken.into());
        }
        let token = SessionToken { session_id: claims.sid, token_id: claims.jti.clone(), token_expires_at: claims.exp };
        let credential = Credential::Session(token);
        let caller = Caller { user_id: user_id.get(), is_admin: status.role == Role::Admin, credential };
        let revision = self.revisions.of(user_id, status.revision);
        *identity = Identity::Authenticated { caller, revision };
        Ok(())
    }
}

/// Returns the caller of a request with an active key.
fn api_client_caller(status: ApiKeyStatus) -> Caller {
    let client = status.client;
    let scope = |scope| match scope {
        ApiScope::Read => operation::Scope::Read,
        ApiScope::Write => operation::Scope::Write,
        ApiScope::Admin => operation::Scope::Admin,
    };
    Caller {
        user_id: client.user_id.get(),
        is_admin: status.role == Role::Admin,
        credential: Credential::ApiClient(ApiClientCaller {
            id: client.id.get(),
            name: client.name,
            scopes: client.scopes.iter().map(scope).collect(),
            rate_limit: client.rate_limit.and_then(|limit| u32::try_from(limit).ok()),
        }),
    }
}

/// Parses an ID in decimal notation, without leading zeros or a plus sign.
fn canonical_id(text: &str) -> Option<i64> {
    let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_canonical)
}

/// The credential in the headers of a request.
#[derive(Debug, PartialEq, Eq)]
enum PresentedCredential<'a> {
    None,
    /// From `Authorization: Bearer`.
    Bearer(&'a str),
    /// From `X-API-Key`.
    ApiKey(&'a str),
    /// Several different credentials, or one in a wrong format. Several are ambiguous: a proxy may have checked another one.
    Unusable,
}

impl<'a> PresentedCredential<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let (Ok(authorization), Ok(api_key)) =
            (at_most_one(headers, AUTHORIZATION.as_str()), at_most_one(headers, API_KEY_HEADER))
        else {
            return Self::Unusable;
        };
        let bearer = authorization.map(bearer_token);
        let key = api_key.map(|value| value.to_str().ok());
        match (bearer, key) {
            (None, None) => Self::None,
            (Some(Some(token)), None) => Self::Bearer(token),
            (None, Some(Some(key))) => Self::ApiKey(key),
            // Some generated clients send their only credential for each documented security scheme.
            (Some(Some(token)), Some(Some(key))) if token == key => Self::Bearer(token),
            _ => Self::Unusable,
        }
    }
}

/// Returns the value of a header; fails if the header is repeated.
fn at_most_one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

/// Returns the credentials of `Bearer <token>`; the scheme is case-insensitive (RFC 9110, section 11.1).
fn bearer_token(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn only_one_credential_is_usable() {
        use PresentedCredential::{ApiKey, Bearer, None, Unusable};

        for (headers, expected) in [
            (vec![], None),
            (vec![("authorization", "Bearer a")], Bearer("a")),
            (vec![("x-api-key", "a")], ApiKey("a")),
            (vec![("authorization", "Bearer a"), ("x-api-key", "a")], Bearer("a")),
            (vec![("authorization", "Bearer a"), ("x-api-key", "b")], Unusable),
            (vec![("authorization", "Basic a"), ("x-api-key", "a")], Unusable),
            (vec![("authorization", "Bearer a"), ("x-api-key", "")], Unusable),
            (vec![("authorization", "Bearer a"), ("authorization", "Bearer a")], Unusable),
            (vec![("x-api-key", "a"), ("x-api-key", "a")], Unusable),
        ] {
            let mut map = HeaderMap::new();
            for &(name, value) in &headers {
                map.append(name, HeaderValue::from_static(value));
            }
            assert_eq!(PresentedCredential::of(&map), expected, "{headers:?}");
        }
    }

    #[test]
    fn subject_is_an_id_in_canonical_form() {
        for (text, id) in
            [("7", Some(7)), ("07", None), ("+7", None), ("-7", None), ("0", None), ("", None), ("x", None)]
        {
            assert_eq!(canonical_id(text), id, "{text:?}");
        }
        assert_eq!(canonical_id("9223372036854775808"), None);
    }

    #[test]
    fn only_an_authenticated_administrator_is_authorized() {
        let session = |is_admin| {
            let token = SessionToken { session_id: 1, token_id: String::new(), token_expires_at: 0 };
            let caller = Caller { user_id: 7, is_admin, credential: Credential::Session(token) };
            Identity::Authenticated { caller, revision: 0 }
        };
        let code = |identity: Identity| identity.authorize(Access::Admin, "GET").err().map(|error| error.code);
        assert_eq!(code(session(true)), None);
        for other in [session(false), Identity::Anonymous, Identity::InvalidToken] {
            assert_eq!(code(other), Some(ErrorCode::Forbidden));
        }
    }

    #[test]
    fn api_clients_are_counted_separately_from_their_account() {
        let client = ApiClientCaller { id: 3, name: "Sync".to_owned(), scopes: Vec::new(), rate_limit: Some(5) };
        let caller = Caller { user_id: 7, is_admin: false, credential: Credential::ApiClient(client) };
        let subject = RateLimitSubject::ApiClient { id: ApiClientId::new(3), per_minute: Some(5) };
        assert_eq!(Identity::Authenticated { caller, revision: 0 }.rate_limit_subject(), Some(subject.clone()));
        let key = ApiKey::generate(&crate::domain::SystemRandom);
        assert_eq!(Identity::ApiKey { key: key.clone(), known: None }.rate_limit_subject(), None);
        let known = Some(KnownApiClient { id: ApiClientId::new(3), account: UserId::new(7), rate_limit: Some(5) });
        assert_eq!(Identity::ApiKey { key, known }.rate_limit_subject(), Some(subject));
    }
}
