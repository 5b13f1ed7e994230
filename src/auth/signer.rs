//! Signs values that clients return to the server, such as cursors.

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Signs with a key derived from the current secret; accepts signatures of previous secrets.
#[derive(Clone)]
pub struct Signer {
    keys: Vec<Hmac<Sha256>>,
}

/// Length of a signature in bytes: 128 bits of HMAC-SHA-256.
pub const SIGNATURE_LEN: usize = 16;

impl Signer {
    /// Derives the keys for one `purpose`: signatures for other purposes are invalid.
    #[must_use]
    pub fn new(secret: &SecretString, previous: &[SecretString], purpose: &str) -> Self {
        let derive = |secret: &SecretString| {
            // HMAC accepts keys of any length.
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
            mac.update(purpose.as_bytes());
            Hmac::new_from_slice(&mac.finalize().into_bytes()).ok()
        };
        Self { keys: std::iter::once(secret).chain(previous).filter_map(derive).collect() }
    }

    /// Signs `bytes`.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let Some(mut mac) = self.keys.first().cloned() else { return Vec::new() };
        mac.update(bytes);
        mac.finalize().into_bytes()[..SIGNATURE_LEN].to_vec()
    }

    /// Returns whether `signature` is a signature of `bytes` with the current secret or a previous one.
    #[must_use]
    pub fn verify(&self, bytes: &[u8], signature: &[u8]) -> bool {
        signature.len() == SIGNATURE_LEN
            && self.keys.iter().any(|key| {
                let mut mac = key.clone();
                mac.update(bytes);
                mac.verify_truncated_left(signature).is_ok()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secret: &str, previous: &[&str], purpose: &str) -> Signer {
        let previous: Vec<SecretString> = previous.iter().map(|secret| (*secret).into()).collect();
        Signer::new(&secret.into(), &previous, purpose)
    }

    #[test]
    fn signature_is_bound_to_value_secret_and_purpose() {
        let signer_a = signer("a", &[], "cursors");
        let signature = signer_a.sign(b"text");
        assert!(signer_a.verify(b"text", &signature));
        assert!(!signer_a.verify(b"texts", &signature));
        assert!(!signer_a.verify(b"text", &signature[1..]));
        assert!(!signer_a.verify(b"text", b""));
        assert!(!signer("b", &[], "cursors").verify(b"text", &signature));
        assert!(!signer("a", &[], "links").verify(b"text", &signature));
        assert!(signer("b", &["a"], "cursors").verify(b"text", &signature));
    }
}
