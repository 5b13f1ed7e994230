//! Parses keys in PEM format, given as text or as the path of a file.

use ed25519_dalek::{
    SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey, DecodePublicKey},
};

use super::parse::VariableParser;

impl VariableParser<'_> {
    /// Reads the private key, if `algorithm` requires one.
    pub(super) fn parse_private_key(&mut self, algorithm: &'static str, name: &'static str) -> Option<SigningKey> {
        let is_required = self.parse_choice(algorithm, &[("hs256", false), ("eddsa", true)]);
        match (is_required, self.non_empty(name)) {
            (false, None) => None,
            (false, Some(_)) => {
                self.add_error(name, format!("requires {algorithm}=EdDSA"));
                None
            }
            (true, None) => {
                self.add_error(
                    name,
                    format!(
                        "must be set if {algorithm} is EdDSA; create a key with `openssl genpkey -algorithm ed25519`"
                    ),
                );
                None
            }
            (true, Some(given)) => {
                let pem = self.read_pem(name, given)?;
                let key = SigningKey::from_pkcs8_pem(&pem).ok();
                if key.is_none() {
                    let how = "create one with `openssl genpkey -algorithm ed25519`";
                    self.add_error(name, format!("is not a private Ed25519 key in PEM (PKCS#8) format; {how}"));
                }
                key
            }
        }
    }

    /// Reads public keys, separated by commas.
    pub(super) fn parse_public_keys(&mut self, name: &'static str) -> Vec<VerifyingKey> {
        let mut keys = Vec::new();
        for given in
            self.non_empty(name).unwrap_or_default().split(',').map(str::trim).filter(|given| !given.is_empty())
        {
            let Some(pem) = self.read_pem(name, given) else { continue };
            match VerifyingKey::from_public_key_pem(&pem) {
                Ok(key) if !key.is_weak() => keys.push(key),
                _ => {
                    let how = "derive it from the private key with `openssl pkey -pubout`";
                    self.add_error(
                        name,
                        format!("contains a value that is not a public Ed25519 key in PEM format; {how}"),
                    );
                }
            }
        }
        keys
    }

    /// Returns PEM text. A value without PEM markers is the path of a file; `\n` is read as a line break, as is common in
    /// environment variables.
    fn read_pem(&mut self, name: &'static str, given: &str) -> Option<String> {
        if given.contains("-----BEGIN") {
            return Some(given.replace("\\n", "\n"));
        }
        match std::fs::read_to_string(given) {
            Ok(pem) => Some(pem),
            // The value is not repeated in the message: it could be a key without its markers.
            Err(error) => {
                self.add_error(name, format!("is neither PEM text nor the path of a readable file: {error}"));
                None
            }
        }
    }
}
