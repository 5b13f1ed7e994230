//! Verifies access tokens that BucketList has issued.

use std::sync::Arc;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use crate::responses::Failure;

#[derive(Clone)]
pub(crate) struct Tokens(Arc<(DecodingKey, Validation)>);

#[derive(Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    /// ID of the session.
    pub(crate) sid: i64,
    /// ID of the token.
    pub(crate) jti: String,
}

impl Claims {
    pub(crate) fn user_id(&self) -> Result<i64, Failure> {
        self.sub.parse().map_err(|_| Failure::InvalidToken)
    }
}

impl Tokens {
    pub(crate) fn new(secret: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&["bucketlist"]);
        validation.set_audience(&["bucketlist-api"]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        Self(Arc::new((DecodingKey::from_secret(secret.as_bytes()), validation)))
    }

    /// Verifies the signature and the lifetime of the token. The caller verifies its status.
    pub(crate) fn verify(&self, headers: &HeaderMap) -> Result<Claims, Failure> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(Failure::InvalidToken)?;
        let token = header.strip_prefix("Bearer ").ok_or(Failure::InvalidToken)?;
        let (key, validation) = &*self.0;
        jsonwebtoken::decode(token, key, validation).map(|token| token.claims).map_err(|_| Failure::InvalidToken)
    }
}

/// The status of a token, of its session and its account.
pub(crate) struct TokenStatus {
    pub(crate) user_id: i64,
    pub(crate) is_disabled: bool,
    pub(crate) is_session_ended: bool,
    pub(crate) is_revoked: bool,
}

/// The statement that reads [`TokenStatus`], with these placeholders for the IDs of the session and the token.
macro_rules! status_sql {
    ($session:literal, $token:literal) => {
        concat!(
            "SELECT users.id, users.disabled, sessions.revoked_at IS NOT NULL, \
             EXISTS (SELECT 1 FROM revoked_tokens WHERE token_id = ",
            $token,
            ") FROM sessions JOIN users ON users.id = sessions.user_id WHERE sessions.id = ",
            $session
        )
    };
}

impl TokenStatus {
    pub(crate) const SQLITE: &str = status_sql!("?1", "?2");
    pub(crate) const POSTGRES: &str = status_sql!("$1", "$2");

    pub(crate) fn check(status: Option<Self>, user_id: i64) -> Result<(), Failure> {
        let status = status.ok_or(Failure::InvalidToken)?;
        let is_active = !status.is_disabled && !status.is_session_ended && !status.is_revoked;
        if is_active && status.user_id == user_id { Ok(()) } else { Err(Failure::InvalidToken) }
    }
}
