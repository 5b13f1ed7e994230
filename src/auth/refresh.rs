//! Refresh tokens: opaque, stored as a digest, each with exactly one successor.
//!
//! The successor is derived from its parent instead of being random: two clients that refresh the same session at the same time
//! receive the same token, although the server does not store tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::domain::Random;

/// Generates refresh tokens.
pub struct RefreshTokens {
    key: Option<Hmac<Sha256>>,
}

impl RefreshTokens {
    /// Derives the key of successors from `secret`.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        // HMAC accepts keys of any length, so this is never `None`. If it were, successors would be random.
        let mut derive = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok();
        if let Some(derive) = &mut derive {
            derive.update(b"refresh token successor");
        }
        let key = derive.and_then(|derive| Hmac::new_from_slice(&derive.finalize().into_bytes()).ok());
        Self { key }
    }

    /// Generates the first token of a session.
    #[must_use]
    pub fn generate(random: &dyn Random) -> String {
        URL_SAFE_NO_PAD.encode(random.secret())
    }

    /// Derives the successor of `parent`.
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

/// Returns the digest under which an opaque token is stored. Tokens have 256 random bits, so they need no salt.
#[must_use]
pub fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
