//! Authenticates the caller of a request in two steps: first verifies the signature of the access token, then the status of its
//! session and account.

use std::sync::Arc;

use contract::{ApiError, Caller, ErrorCode};
use poem::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::{
    auth::{AccessTokens, Claims, TokenStatusCache},
    db::Db,
    domain::{Clock, Role, UserId},
    services::{Error, Revisions},
};

/// The caller of a request.
#[derive(Debug, Default)]
pub(super) enum Identity {
    /// No credentials.
    #[default]
    Anonymous,
    /// Credentials that are not a valid access token.
    InvalidToken,
    /// A token with a valid signature; its session may have ended.
    Verified { user_id: UserId, claims: Claims },
    /// A token whose session and account are active. `revision` is the number of changes to the data of the account.
    Authenticated { caller: Caller, revision: u64 },
}

impl Identity {
    /// Returns the account of the token.
    pub(super) fn user_id(&self) -> Option<UserId> {
        match self {
            Self::Anonymous | Self::InvalidToken => None,
            Self::Verified { user_id, .. } => Some(*user_id),
            Self::Authenticated { caller, .. } => Some(UserId::new(caller.user_id)),
        }
    }

    /// Returns the session of the token.
    pub(super) fn session_id(&self) -> Option<i64> {
        match self {
            Self::Anonymous | Self::InvalidToken => None,
            Self::Verified { claims, .. } => Some(claims.sid),
            Self::Authenticated { caller, .. } => Some(caller.session_id),
        }
    }

    /// Returns the caller, once authenticated.
    pub(super) fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Authenticated { caller, .. } => Some(caller),
            _ => None,
        }
    }

    /// Rejects callers that are not administrators.
    pub(super) fn require_admin(&self) -> Result<(), ErrorCode> {
        if self.caller().is_some_and(|caller| caller.is_admin) { Ok(()) } else { Err(ErrorCode::Forbidden) }
    }
}

/// Verifies access tokens.
pub struct Authenticator {
    pub(crate) tokens: Arc<AccessTokens>,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) token_status: TokenStatusCache,
    pub(crate) revisions: Revisions,
}

impl Authenticator {
    /// Checks the signature and the lifetime of the access token, without the database.
    pub(super) fn verify(&self, headers: &HeaderMap) -> Identity {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Identity::Anonymous };
        // Repeated headers are ambiguous: a proxy may have checked another one.
        if values.next().is_some() {
            return Identity::InvalidToken;
        }
        let claims = bearer_token(value).and_then(|token| self.tokens.verify(token, self.clock.now_seconds()).ok());
        let Some(claims) = claims else { return Identity::InvalidToken };
        match canonical_id(&claims.sub) {
            Some(user_id) => Identity::Verified { user_id: UserId::new(user_id), claims },
            None => Identity::InvalidToken,
        }
    }

    /// Checks that the session and the account of a verified token are active.
    ///
    /// # Errors
    /// `AUTHENTICATION_REQUIRED`, `INVALID_TOKEN` or `ACCOUNT_DISABLED`; `SERVICE_UNAVAILABLE` if the database is unavailable.
    pub(super) async fn authenticate(&self, identity: &mut Identity) -> Result<(), ApiError> {
        let (user_id, claims) = match identity {
            Identity::Anonymous => return Err(ErrorCode::AuthenticationRequired.into()),
            Identity::InvalidToken => return Err(ErrorCode::InvalidToken.into()),
            Identity::Verified { user_id, claims } => (*user_id, claims),
            Identity::Authenticated { .. } => return Ok(()),
        };
        let status = self.token_status.get(&self.db, claims).await.map_err(Error::from)?;
        let status = status.filter(|status| status.user_id == user_id).ok_or(ErrorCode::InvalidToken)?;
        if status.disabled {
            return Err(ErrorCode::AccountDisabled.into());
        }
        if status.session_ended || status.token_revoked {
            return Err(ErrorCode::InvalidToken.into());
        }
        let caller = Caller {
            user_id: user_id.get(),
            session_id: claims.sid,
            token_id: std::mem::take(&mut claims.jti),
            token_expires_at: claims.exp,
            is_admin: status.role == Role::Admin,
        };
        let revision = self.revisions.of(user_id, status.revision);
        *identity = Identity::Authenticated { caller, revision };
        Ok(())
    }
}

/// Parses an ID in decimal notation, without leading zeros or a plus sign.
fn canonical_id(text: &str) -> Option<i64> {
    let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_canonical)
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
        let caller = |is_admin| Identity::Authenticated {
            caller: Caller { user_id: 7, session_id: 1, token_id: String::new(), token_expires_at: 0, is_admin },
            revision: 0,
        };
        assert_eq!(caller(true).require_admin(), Ok(()));
        for other in [caller(false), Identity::Anonymous, Identity::InvalidToken] {
            assert_eq!(other.require_admin(), Err(ErrorCode::Forbidden));
        }
    }
}
