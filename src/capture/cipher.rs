//! Encryption of stored records with `INCIDENTS_KEY`.
//!
//! XChaCha20-Poly1305 with a random 24-byte nonce. The request ID and the time of the row are authenticated as well, so that a
//! record cannot be copied into another row. Keys are derived with HKDF-SHA256. Records that were encrypted before HKDF was
//! introduced, or with a previous key, can still be decrypted.

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use incidents::{IncidentRecord, record::FORMAT};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::domain::{Incident, Random, StoredRecord};

const NONCE_LENGTH: usize = 24;
/// Number of bytes of a key ID.
const KEY_ID_LENGTH: usize = 4;

/// Encrypts and decrypts records.
#[derive(Clone, Default)]
pub struct RecordCipher {
    /// Encrypts new records; `None` stores them unencrypted.
    current: Option<NamedCipher>,
    /// Decrypt existing records. Includes the current key.
    known: Vec<NamedCipher>,
}

/// A cipher and the ID of its key.
#[derive(Clone)]
struct NamedCipher {
    key_id: String,
    cipher: XChaCha20Poly1305,
}

/// A stored record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    #[error("the record is encrypted with key {0}, which is neither INCIDENTS_KEY nor in INCIDENTS_PREVIOUS_KEYS")]
    UnknownKey(String),
    #[error("the record was modified or copied from another row")]
    Authentication,
    #[error("the record is invalid: {0}")]
    Invalid(String),
}

impl NamedCipher {
    fn new(secret: &SecretString) -> Self {
        let hkdf = Hkdf::<Sha256>::new(None, secret.expose_secret().as_bytes());
        let (mut key, mut key_id) = (Key::default(), [0; KEY_ID_LENGTH]);
        let derived = hkdf
            .expand(b"bucketlist/incidents/records", &mut key)
            .and_then(|()| hkdf.expand(b"bucketlist/incidents/key-id", &mut key_id));
        debug_assert!(derived.is_ok(), "HKDF-SHA256 expands to 32 bytes");
        Self { key_id: hex::encode(key_id), cipher: XChaCha20Poly1305::new(&key) }
    }

    /// The derivation before HKDF. It decrypts only.
    fn legacy(secret: &SecretString) -> Self {
        let digest = |label: &[u8]| Sha256::new().chain_update(label).chain_update(secret.expose_secret()).finalize();
        Self {
            key_id: hex::encode(&digest(b"name of a key\n")[..KEY_ID_LENGTH]),
            cipher: XChaCha20Poly1305::new(&digest(b"records of incidents\n")),
        }
    }
}

impl RecordCipher {
    /// Encrypts with `key`, and decrypts with it and the `previous` keys. Without a key, records are stored unencrypted.
    #[must_use]
    pub fn new(key: Option<&SecretString>, previous: &[SecretString]) -> Self {
        let secrets: Vec<&SecretString> = key.into_iter().chain(previous).collect();
        let known = secrets.iter().flat_map(|secret| [NamedCipher::new(secret), NamedCipher::legacy(secret)]);
        Self { current: key.map(NamedCipher::new), known: known.collect() }
    }

    /// Serializes a record, and encrypts it if there is a key.
    ///
    /// # Errors
    /// [`DecryptError::Invalid`] if the record cannot be serialized or encrypted.
    pub fn encrypt(&self, record: &IncidentRecord, random: &dyn Random) -> Result<StoredRecord, DecryptError> {
        let bytes = serde_json::to_vec(record).map_err(|error| DecryptError::Invalid(error.to_string()))?;
        let Some(NamedCipher { key_id, cipher }) = &self.current else {
            return Ok(StoredRecord { key_id: None, bytes });
        };
        let mut nonce = [0; NONCE_LENGTH];
        random.fill(&mut nonce);
        let aad = associated_data(&record.request_id, record.received_at);
        let ciphertext = cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: &bytes, aad: &aad })
            .map_err(|_| DecryptError::Invalid("it cannot be encrypted".to_owned()))?;
        Ok(StoredRecord { key_id: Some(key_id.clone()), bytes: [&nonce[..], &ciphertext].concat() })
    }

    /// Returns the record of an incident, with the ID of the incident.
    ///
    /// # Errors
    /// [`DecryptError`].
    pub fn decrypt_incident(&self, incident: &Incident, stored: &StoredRecord) -> Result<IncidentRecord, DecryptError> {
        let record = self.decrypt(stored, &incident.request_id, incident.received_at.micros())?;
        Ok(IncidentRecord { id: incident.id.get(), ..record })
    }

    /// Returns the record of the row with this request ID and time.
    ///
    /// # Errors
    /// [`DecryptError`].
    fn decrypt(
        &self,
        stored: &StoredRecord,
        request_id: &str,
        received_at: i64,
    ) -> Result<IncidentRecord, DecryptError> {
        let plaintext;
        let bytes = match &stored.key_id {
            None => &stored.bytes,
            Some(key_id) => {
                let known = self.known.iter().find(|known| known.key_id == *key_id);
                let NamedCipher { cipher, .. } = known.ok_or_else(|| DecryptError::UnknownKey(key_id.clone()))?;
                let (nonce, ciphertext) =
                    stored.bytes.split_at_checked(NONCE_LENGTH).ok_or(DecryptError::Authentication)?;
                let aad = associated_data(request_id, received_at);
                plaintext = cipher
                    .decrypt(XNonce::from_slice(nonce), Payload { msg: ciphertext, aad: &aad })
                    .map_err(|_| DecryptError::Authentication)?;
                &plaintext
            }
        };
        serde_json::from_slice(bytes).map_err(|error| DecryptError::Invalid(error.to_string()))
    }
}

fn associated_data(request_id: &str, received_at: i64) -> Vec<u8> {
    format!("{FORMAT}\n{received_at}\n{request_id}").into_bytes()
}

#[cfg(test)]
mod tests {
    use incidents::{CapturedBody, CapturedRequest, CapturedResponse};

    use super::*;
    use crate::domain::SeededRandom;

    fn record() -> IncidentRecord {
        IncidentRecord {
            format: FORMAT.to_owned(),
            id: 0,
            request_id: "a".to_owned(),
            trace_id: None,
            received_at: 7,
            duration: 1,
            server_version: "0.1.0".to_owned(),
            contract: None,
            operation: None,
            code: None,
            fingerprint: "f".to_owned(),
            principal: None,
            placeholders: Vec::new(),
            request: CapturedRequest {
                method: "GET".to_owned(),
                target: "/".to_owned(),
                headers: vec![],
                body: CapturedBody(b"\xff body".to_vec()),
                truncated: false,
            },
            response: CapturedResponse {
                status: 500,
                headers: vec![],
                body: CapturedBody::default(),
                truncated: false,
            },
        }
    }

    fn cipher(key: Option<&str>, previous: &[&str]) -> RecordCipher {
        let previous: Vec<SecretString> = previous.iter().map(|key| (*key).into()).collect();
        RecordCipher::new(key.map(SecretString::from).as_ref(), &previous)
    }

    #[test]
    fn records_are_decrypted_with_current_and_previous_keys() {
        let (random, record) = (SeededRandom::new(1), record());
        let stored = cipher(Some("one"), &[]).encrypt(&record, &random).unwrap();
        assert!(!String::from_utf8_lossy(&stored.bytes).contains("body"));
        for cipher in [cipher(Some("one"), &[]), cipher(Some("two"), &["zero", "one"]), cipher(None, &["one"])] {
            assert_eq!(cipher.decrypt(&stored, "a", 7).unwrap(), record);
        }
        let unknown = cipher(Some("two"), &["zero"]).decrypt(&stored, "a", 7).unwrap_err();
        assert!(matches!(&unknown, DecryptError::UnknownKey(id) if Some(id) == stored.key_id.as_ref()));
        assert!(unknown.to_string().contains("INCIDENTS_PREVIOUS_KEYS"));
        let again = cipher(Some("one"), &[]).encrypt(&record, &random).unwrap();
        assert_ne!(again.bytes, stored.bytes, "each record has its own nonce");
        let unencrypted = cipher(None, &["one"]).encrypt(&record, &random).unwrap();
        let decrypted = cipher(None, &[]).decrypt(&unencrypted, "a", 7).unwrap();
        assert_eq!((unencrypted.key_id, decrypted), (None, record));
    }

    #[test]
    fn records_encrypted_before_hkdf_are_decrypted() {
        // Written by the version that derived keys with a single SHA-256, with the key `one`.
        let stored = StoredRecord {
            key_id: Some(LEGACY_KEY_ID.to_owned()),
            bytes: hex::decode(LEGACY_RECORD.split_whitespace().collect::<String>()).unwrap(),
        };
        for cipher in [cipher(Some("one"), &[]), cipher(Some("two"), &["one"])] {
            assert_eq!(cipher.decrypt(&stored, "a", 7).unwrap(), record());
        }
        assert!(matches!(cipher(Some("two"), &[]).decrypt(&stored, "a", 7), Err(DecryptError::UnknownKey(_))));
        let reencrypted = cipher(Some("one"), &[]).encrypt(&record(), &SeededRandom::new(1)).unwrap();
        assert_ne!(reencrypted.key_id, stored.key_id, "new records use the new derivation");
    }

    #[test]
    fn modified_or_moved_records_are_rejected() {
        let cipher = cipher(Some("one"), &[]);
        let stored = cipher.encrypt(&record(), &SeededRandom::new(1)).unwrap();
        assert_eq!(cipher.decrypt(&stored, "b", 7), Err(DecryptError::Authentication));
        assert_eq!(cipher.decrypt(&stored, "a", 8), Err(DecryptError::Authentication));
        for at in 0..stored.bytes.len() {
            let mut modified = stored.clone();
            modified.bytes[at] ^= 1;
            assert_eq!(cipher.decrypt(&modified, "a", 7), Err(DecryptError::Authentication), "{at}");
        }
        let short = StoredRecord { bytes: vec![1; NONCE_LENGTH - 1], ..stored };
        assert_eq!(cipher.decrypt(&short, "a", 7), Err(DecryptError::Authentication));
        let unencrypted = StoredRecord { key_id: None, bytes: b"{}".to_vec() };
        assert!(matches!(cipher.decrypt(&unencrypted, "a", 7), Err(DecryptError::Invalid(_))));
    }

    const LEGACY_KEY_ID: &str = "8cb1b679";
    const LEGACY_RECORD: &str = "
        000102030405060708090a0b0c0d0e0f1011121314151617409e6b22be32c4624e95b5987eaac05d23db4b196128f0451766
        b5d9812fe729b8be68f0a500681ea1f160cebf9d10900e097df3ded8f8fcf7d6700f3db832a6e5629d2e79afa7888969615c
        c77a61fa4057ddcf4c384d82716165ee31c4f3e84d6d1d6a5b7c99ecb6bd44dc1cf6962667a5f355398ec43161ccf1dd9184
        82d5f0b30bfee800702da9109dd567f1d753707dfebe962a0c1ee05303654cdd24b3c97ace00bcd19c30c702c73b4bde3241
        9200a3fc98e038df8c16e8e82d984eff8e038d19c1e93bf5c9975aea36499fb0fb2076cb14a1af69a65eae5449f2e840be44
        4ec556857beabe4dbc46fe04c306d71136813a26632739d012798432de8aec00721886651fb07bd024698f4448d972500088
        624ef43af475ec86ebc6b85b7d86488f2dfa23270cf0b6a475a98746ec7418af7cc7b5fe0c68383e25c2f7dcbc9d1736df30
        6dd3443e1f68d2c58d2326a7d76dbf46e6bbf1487133e83a0f4a0776241e99e069e40c9c792f4782a118ad64a7e637da03eb
        6705b8a2b130b9a212f53f5e9edb16449f4cf4df25fa3fd975a45a49809b3fb0be06598ba015270ede742d682d81ff0e54a2
        72700356440ef1224219daac0c859f063b76340a9edb98ab88f871e0329e4ded3f5f8671dd3edf1bd7e9395b97fdfd189f7c
        8bfd5c061b12d2245e8afac6722c5509c6b777d8b327d4e0303671470fa5e10143f18cff557b6c930b915ecfb45790922d8a
        16ffce7bd4d1762b3e8e2d070d4d8a9bcafc1815a6a6fc733cf1
    ";
}
