//! Refresh tokens: opaque, stored only as a digest, each with exactly one successor.
//!
//! The successor is computed from its parent, not drawn: two windows of one user that refresh at once get the same one, and
//! nothing that could be stolen needs to be stored for it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::domain::Random;

/// Makes refresh tokens.
pub struct RefreshTokens {
    key: Option<Hmac<Sha256>>,
}

impl RefreshTokens {
    /// With a key of its own, derived from `secret`.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        // HMAC takes a key of any length; `None` cannot happen and would make successors unpredictable, not guessable.
        let mut derive = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok();
        if let Some(derive) = &mut derive {
            derive.update(b"refresh token successor");
        }
        let key = derive.and_then(|derive| Hmac::new_from_slice(&derive.finalize().into_bytes()).ok());
        Self { key }
    }

    /// The first token of a session.
    #[must_use]
    pub fn generate(random: &dyn Random) -> String {
        URL_SAFE_NO_PAD.encode(random.secret())
    }

    /// The token that follows `parent`.
    #[must_use]
    pub fn successor(&self, parent: &str, random: &dyn Random) -> String {
        match self.key.clone() {
            Some(mut mac) => {
                mac.update(parent.as_bytes());
                URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
            }
            None => Self::generate(random),
        }
    }
}

/// What is stored of an opaque token. Tokens carry 256 random bits, so a plain digest is enough.
#[must_use]
pub fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
