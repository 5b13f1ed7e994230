//! Keys out of PEM, given as text or as the path of a file.

use ed25519_dalek::{
    SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey, DecodePublicKey},
};

use super::parse::Reader;

impl Reader<'_> {
    /// The key that signs, if `algorithm` says that one does.
    pub(super) fn private_key(&mut self, algorithm: &'static str, name: &'static str) -> Option<SigningKey> {
        let is_wanted = self.choice(algorithm, &[("hs256", false), ("eddsa", true)]);
        match (is_wanted, self.given(name)) {
            (false, None) => None,
            (false, Some(_)) => {
                self.mistake(name, format!("is of no use while {algorithm} is HS256; set that to EdDSA"));
                None
            }
            (true, None) => {
                self.mistake(
                    name,
                    format!(
                        "must be set where {algorithm} is EdDSA; make one with `openssl genpkey -algorithm ed25519`"
                    ),
                );
                None
            }
            (true, Some(given)) => {
                let pem = self.pem(name, given)?;
                let key = SigningKey::from_pkcs8_pem(&pem).ok();
                if key.is_none() {
                    let how = "make one with `openssl genpkey -algorithm ed25519`";
                    self.mistake(name, format!("is no private Ed25519 key in PEM (PKCS#8); {how}"));
                }
                key
            }
        }
    }

    /// Public keys, separated by commas.
    pub(super) fn public_keys(&mut self, name: &'static str) -> Vec<VerifyingKey> {
        let mut keys = Vec::new();
        for given in self.given(name).unwrap_or_default().split(',').map(str::trim).filter(|given| !given.is_empty()) {
            let Some(pem) = self.pem(name, given) else { continue };
            match VerifyingKey::from_public_key_pem(&pem) {
                Ok(key) if !key.is_weak() => keys.push(key),
                _ => {
                    let how = "take it out of the private one with `openssl pkey -pubout`";
                    self.mistake(name, format!("has something that is no public Ed25519 key in PEM; {how}"));
                }
            }
        }
        keys
    }

    /// PEM as it stands (also with `\n` for its line ends, as environments often have it), or out of the file at this path.
    fn pem(&mut self, name: &'static str, given: &str) -> Option<String> {
        if given.contains("-----BEGIN") {
            return Some(given.replace("\\n", "\n"));
        }
        match std::fs::read_to_string(given) {
            Ok(pem) => Some(pem),
            // The path is not repeated: somebody may have put the bare key there.
            Err(error) => {
                self.mistake(name, format!("is neither PEM nor the path of a file that can be read ({error})"));
                None
            }
        }
    }
}
