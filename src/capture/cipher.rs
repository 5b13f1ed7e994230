//! Records at rest: sealed with `INCIDENTS_KEY` where it is set.
//!
//! XChaCha20-Poly1305 under a random nonce of 24 bytes. What is authenticated besides binds a record to its row: one that is
//! copied into another row cannot be opened there. Keys that were replaced still open what they sealed.

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use incidents::{Record, record::FORMAT};

use crate::domain::Random;

const NONCE: usize = 24;

/// Seals records and opens them.
#[derive(Clone, Default)]
pub struct RecordCipher {
    /// The current key first; without any, records lie open.
    keys: Vec<(String, XChaCha20Poly1305)>,
    /// Whether new records are sealed.
    is_sealing: bool,
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Names the key; `None`: it lies open.
    pub key_id: Option<String>,
    pub bytes: Vec<u8>,
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Sealed with a key that the server was not given.
    #[error("the record is sealed with the key {0}, which is neither INCIDENTS_KEY nor among INCIDENTS_PREVIOUS_KEYS")]
    UnknownKey(String),
    /// Not what was sealed, or sealed for another row.
    #[error("the record was changed since it was sealed, or belongs to another row")]
    Forged,
    /// No record at all.
    #[error("the record is damaged: {0}")]
    Damaged(String),
}

impl RecordCipher {
    /// Seals with `key`, opens what it or an earlier one has sealed. Without a key records lie open.
    #[must_use]
    pub fn new(key: Option<&SecretString>, previous: &[SecretString]) -> Self {
        let cipher = |secret: &SecretString| {
            let key = Sha256::new().chain_update(b"records of incidents\n").chain_update(secret.expose_secret());
            let name = Sha256::new().chain_update(b"name of a key\n").chain_update(secret.expose_secret());
            let name = name.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            (name, XChaCha20Poly1305::new(Key::from_slice(&key.finalize())))
        };
        Self { keys: key.into_iter().chain(previous).map(cipher).collect(), is_sealing: key.is_some() }
    }

    /// The record as it is stored.
    ///
    /// # Errors
    /// [`Unreadable::Damaged`] if it cannot be written, which no record cannot.
    pub fn seal(&self, record: &Record, random: &dyn Random) -> Result<Sealed, Unreadable> {
        let bytes = serde_json::to_vec(record).map_err(|error| Unreadable::Damaged(error.to_string()))?;
        let Some((name, cipher)) = self.keys.first().filter(|_| self.is_sealing) else {
            return Ok(Sealed { key_id: None, bytes });
        };
        let mut nonce = [0; NONCE];
        random.fill(&mut nonce);
        let row = binding(&record.request_id, record.received_at);
        let sealed = cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: &bytes, aad: &row })
            .map_err(|_| Unreadable::Damaged("it cannot be sealed".to_owned()))?;
        Ok(Sealed { key_id: Some(name.clone()), bytes: [&nonce[..], &sealed].concat() })
    }

    /// The record of the row with this request id and time.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn open(&self, sealed: &Sealed, request_id: &str, received_at: i64) -> Result<Record, Unreadable> {
        let opened;
        let bytes = match &sealed.key_id {
            None => &sealed.bytes,
            Some(id) => {
                let cipher = self.keys.iter().find(|(name, _)| name == id).map(|(_, cipher)| cipher);
                let cipher = cipher.ok_or_else(|| Unreadable::UnknownKey(id.clone()))?;
                let (nonce, rest) = sealed.bytes.split_at_checked(NONCE).ok_or(Unreadable::Forged)?;
                let row = binding(request_id, received_at);
                opened = cipher
                    .decrypt(XNonce::from_slice(nonce), Payload { msg: rest, aad: &row })
                    .map_err(|_| Unreadable::Forged)?;
                &opened
            }
        };
        serde_json::from_slice(bytes).map_err(|error| Unreadable::Damaged(error.to_string()))
    }
}

fn binding(request_id: &str, received_at: i64) -> Vec<u8> {
    format!("{}\n{received_at}\n{request_id}", FORMAT).into_bytes()
}

#[cfg(test)]
mod tests {
    use incidents::{Bytes, Reply, Sent};

    use super::*;
    use crate::domain::SeededRandom;

    fn record() -> Record {
        Record {
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
            request: Sent {
                method: "GET".to_owned(),
                target: "/".to_owned(),
                headers: vec![],
                body: Bytes(b"\xff body".to_vec()),
                truncated: false,
            },
            response: Reply { status: 500, headers: vec![], body: Bytes::default(), truncated: false },
        }
    }

    fn vault(key: Option<&str>, previous: &[&str]) -> RecordCipher {
        let previous: Vec<SecretString> = previous.iter().map(|key| (*key).into()).collect();
        RecordCipher::new(key.map(SecretString::from).as_ref(), &previous)
    }

    #[test]
    fn what_was_sealed_is_opened_with_the_key_of_then() {
        let (random, record) = (SeededRandom::new(1), record());
        let sealed = vault(Some("one"), &[]).seal(&record, &random).unwrap();
        assert!(!String::from_utf8_lossy(&sealed.bytes).contains("body"));
        for good in [vault(Some("one"), &[]), vault(Some("two"), &["zero", "one"]), vault(None, &["one"])] {
            assert_eq!(good.open(&sealed, "a", 7).unwrap(), record);
        }
        let unknown = vault(Some("two"), &["zero"]).open(&sealed, "a", 7).unwrap_err();
        assert!(matches!(&unknown, Unreadable::UnknownKey(id) if Some(id) == sealed.key_id.as_ref()));
        assert!(unknown.to_string().contains("INCIDENTS_PREVIOUS_KEYS"));
        let again = vault(Some("one"), &[]).seal(&record, &random).unwrap();
        assert_ne!(again.bytes, sealed.bytes, "a nonce is used once");
        let open = vault(None, &["one"]).seal(&record, &random).unwrap();
        assert_eq!((open.key_id.clone(), vault(None, &[]).open(&open, "a", 7).unwrap()), (None, record));
    }

    #[test]
    fn what_was_changed_or_moved_is_refused() {
        let vault = vault(Some("one"), &[]);
        let sealed = vault.seal(&record(), &SeededRandom::new(1)).unwrap();
        assert_eq!(vault.open(&sealed, "b", 7), Err(Unreadable::Forged));
        assert_eq!(vault.open(&sealed, "a", 8), Err(Unreadable::Forged));
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert_eq!(vault.open(&changed, "a", 7), Err(Unreadable::Forged), "{at}");
        }
        let short = Sealed { bytes: vec![1; NONCE - 1], ..sealed.clone() };
        assert_eq!(vault.open(&short, "a", 7), Err(Unreadable::Forged));
        let open = Sealed { key_id: None, bytes: b"{}".to_vec() };
        assert!(matches!(vault.open(&open, "a", 7), Err(Unreadable::Damaged(_))));
    }
}
