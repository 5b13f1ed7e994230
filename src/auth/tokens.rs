//! Access tokens: short-lived JWTs (RFC 9068). As RFC 8725 requires, each key has one algorithm, and type, issuer and
//! audience are verified.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::verified_tokens::VerifiedTokens;
use crate::domain::Random;

const TYPE: &str = "at+jwt";
const AUDIENCE: &str = "bucketlist-api";
const ISSUER: &str = "bucketlist";
/// Accepted difference between the clocks of two servers, in seconds.
const CLOCK_SKEW: i64 = 5;

/// The claims of an access token.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    /// The ID of the user.
    pub sub: String,
    /// The ID of the session.
    pub sid: i64,
    /// The ID of the token.
    pub jti: String,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
}

/// The token is malformed, forged, expired or issued for another audience. The error does not reveal which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid access token")]
pub struct InvalidToken;

/// Issues and verifies access tokens.
pub struct AccessTokens {
    signing: EncodingKey,
    header: Header,
    /// The current key first, then the previous ones.
    verifying: Vec<VerifyingKey>,
    ttl: i64,
    verified: VerifiedTokens,
}

/// A verification key and its only algorithm. A token that combines the key with another algorithm is rejected, so that a
/// public key cannot be used as an HMAC secret.
struct VerifyingKey {
    id: String,
    key: DecodingKey,
    validation: Validation,
    /// The public key as a JWK; `None` if the key is a secret.
    public: Option<Value>,
}

impl VerifyingKey {
    fn of_secret(secret: &SecretString) -> Self {
        let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
        Self { id: key_id(secret), key, validation: validation(Algorithm::HS256), public: None }
    }

    fn of_public(public: &ed25519_dalek::VerifyingKey) -> Result<Self, jsonwebtoken::errors::Error> {
        let x = URL_SAFE_NO_PAD.encode(public.as_bytes());
        let key = DecodingKey::from_ed_components(&x)?;
        // The thumbprint of RFC 7638: the required members in alphabetical order.
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)));
        let public = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": id, "alg": "EdDSA", "use": "sig"});
        Ok(Self { id, key, validation: validation(Algorithm::EdDSA), public: Some(public) })
    }

    fn algorithm(&self) -> Option<Algorithm> {
        self.validation.algorithms.first().copied()
    }
}

fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    // Verified by `AccessTokens::verify` with the injected clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

impl AccessTokens {
    /// Creates keys that sign with `secret` and accept tokens signed with `previous` secrets. Tokens are valid for `ttl` seconds.
    #[must_use]
    pub fn new(secret: &SecretString, previous: &[SecretString], ttl: i64) -> Self {
        let signing = EncodingKey::from_secret(secret.expose_secret().as_bytes());
        let verifying: Vec<VerifyingKey> =
            std::iter::once(secret).chain(previous).map(VerifyingKey::of_secret).collect();
        let header = header(Algorithm::HS256, key_id(secret));
        Self { signing, header, verifying, ttl, verified: VerifiedTokens::default() }
    }

    /// Creates keys that sign with an Ed25519 key. Other services can verify tokens with its public key.
    ///
    /// # Errors
    /// Fails if the key is invalid.
    pub fn ed25519(key: &ed25519_dalek::SigningKey, ttl: i64) -> Result<Self, jsonwebtoken::errors::Error> {
        let der = key.to_pkcs8_der().map_err(|_| jsonwebtoken::errors::ErrorKind::InvalidEddsaKey)?;
        let verifying = VerifyingKey::of_public(&key.verifying_key())?;
        let header = header(Algorithm::EdDSA, verifying.id.clone());
        let signing = EncodingKey::from_ed_der(der.as_bytes());
        Ok(Self { signing, header, verifying: vec![verifying], ttl, verified: VerifiedTokens::default() })
    }

    /// Also accepts tokens signed with other keys.
    ///
    /// # Errors
    /// Fails if a key is invalid.
    pub fn accepting(
        mut self,
        secrets: &[SecretString],
        public: &[ed25519_dalek::VerifyingKey],
    ) -> Result<Self, jsonwebtoken::errors::Error> {
        self.verifying.extend(secrets.iter().map(VerifyingKey::of_secret));
        for key in public {
            self.verifying.push(VerifyingKey::of_public(key)?);
        }
        Ok(self)
    }

    /// Returns the public verification keys as a JWK set (RFC 7517). It is empty if tokens are signed with a secret.
    #[must_use]
    pub fn public_keys(&self) -> Value {
        let keys: Vec<&Value> = self.verifying.iter().filter_map(|key| key.public.as_ref()).collect();
        json!({ "keys": keys })
    }

    /// Returns the lifetime of a token in seconds.
    #[must_use]
    pub const fn ttl(&self) -> i64 {
        self.ttl
    }

    /// Issues a token for a session, valid from `now` (seconds).
    ///
    /// # Errors
    /// Fails if the key is invalid.
    pub fn issue(
        &self,
        user_id: i64,
        session_id: i64,
        now: i64,
        random: &dyn Random,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let mut id = [0; 16];
        random.fill(&mut id);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user_id.to_string(),
            sid: session_id,
            jti: URL_SAFE_NO_PAD.encode(id),
            iat: now,
            nbf: now,
            exp: now + self.ttl,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.signing)
    }

    /// Verifies a token at `now` (seconds) and returns its claims.
    ///
    /// # Errors
    /// [`InvalidToken`].
    pub fn verify(&self, token: &str, now: i64) -> Result<Arc<Claims>, InvalidToken> {
        let is_valid = |claims: &Claims| {
            let has_started = |time: i64| now >= time.saturating_sub(CLOCK_SKEW);
            now < claims.exp && has_started(claims.nbf) && has_started(claims.iat)
        };
        if let Some(claims) = self.verified.get(token) {
            return is_valid(&claims).then_some(claims).ok_or(InvalidToken);
        }
        let claims = Arc::new(self.verify_signature(token)?);
        if !is_valid(&claims) {
            return Err(InvalidToken);
        }
        self.verified.insert(token, &claims);
        Ok(claims)
    }

    /// Verifies everything but the times of a token.
    fn verify_signature(&self, token: &str) -> Result<Claims, InvalidToken> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| InvalidToken)?;
        let key_id = header.kid.as_deref().ok_or(InvalidToken)?;
        let key = self.verifying.iter().find(|key| key.id == key_id).ok_or(InvalidToken)?;
        // No critical extension is supported (RFC 7515, section 4.1.11).
        if header.typ.as_deref() != Some(TYPE) || Some(header.alg) != key.algorithm() || header.crit.is_some() {
            return Err(InvalidToken);
        }
        jsonwebtoken::decode(token, &key.key, &key.validation).map(|token| token.claims).map_err(|_| InvalidToken)
    }
}

fn header(algorithm: Algorithm, key_id: String) -> Header {
    Header { typ: Some(TYPE.to_owned()), kid: Some(key_id), ..Header::new(algorithm) }
}

/// Returns the ID of a secret, which does not reveal it.
fn key_id(secret: &SecretString) -> String {
    let digest = Sha256::digest([b"kid:", secret.expose_secret().as_bytes()].concat());
    URL_SAFE_NO_PAD.encode(&digest[..6])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SystemRandom;

    fn tokens(secret: &str, previous: &[&str]) -> AccessTokens {
        let previous: Vec<SecretString> = previous.iter().map(|secret| (*secret).to_owned().into()).collect();
        AccessTokens::new(&secret.to_owned().into(), &previous, 900)
    }

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn token_is_valid_from_issue_to_expiry() {
        let tokens = tokens("one", &[]);
        let token = tokens.issue(7, 9, NOW, &SystemRandom).unwrap();
        for (now, is_valid) in [(NOW - 6, false), (NOW - 5, true), (NOW, true), (NOW + 899, true), (NOW + 900, false)] {
            assert_eq!(tokens.verify(&token, now).is_ok(), is_valid, "{}", now - NOW);
        }
        let claims = tokens.verify(&token, NOW).unwrap();
        assert_eq!((claims.sub.as_str(), claims.sid), ("7", 9));
    }

    #[test]
    fn verified_token_is_accepted_only_in_its_lifetime_and_unchanged() {
        let tokens = tokens("one", &[]);
        let token = tokens.issue(7, 9, NOW, &SystemRandom).unwrap();
        assert!(tokens.verify(&token, NOW + 900).is_err(), "an expired token is not cached as valid");
        let first = tokens.verify(&token, NOW).unwrap();
        let second = tokens.verify(&token, NOW + 1).unwrap();
        assert!(Arc::ptr_eq(&first, &second), "verified once");
        for now in [NOW - 6, NOW + 900] {
            assert!(tokens.verify(&token, now).is_err(), "{}", now - NOW);
        }
        for changed in [format!("{token}="), token[..token.len() - 1].to_owned(), token.to_uppercase()] {
            assert!(tokens.verify(&changed, NOW).is_err(), "{changed}");
        }
        let other = self::tokens("two", &[]);
        assert!(other.verify(&token, NOW).is_err(), "other keys have another cache");
    }

    #[test]
    fn previous_secret_is_accepted_and_unknown_secret_is_rejected() {
        let token = tokens("old", &[]).issue(7, 9, NOW, &SystemRandom).unwrap();
        assert!(tokens("new", &["old"]).verify(&token, NOW).is_ok());
        assert!(tokens("new", &[]).verify(&token, NOW).is_err());
    }

    #[test]
    fn forged_tokens_are_rejected() {
        let tokens = tokens("one", &[]);
        let good = tokens.issue(7, 9, NOW, &SystemRandom).unwrap();
        let claims = tokens.verify(&good, NOW).unwrap();
        let key = EncodingKey::from_secret(b"one");
        let sign = |header: &Header, claims: &Claims| jsonwebtoken::encode(header, claims, &key).unwrap();
        let header = tokens.header.clone();
        let parts: Vec<&str> = good.split('.').collect();
        let none = URL_SAFE_NO_PAD
            .encode(format!(r#"{{"typ":"at+jwt","alg":"none","kid":"{}"}}"#, key_id(&"one".to_owned().into())));
        let forged = [
            String::new(),
            "a.b.c".into(),
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{good}x"),
            sign(&Header { typ: Some("JWT".into()), ..header.clone() }, &claims),
            sign(&Header { typ: None, ..header.clone() }, &claims),
            sign(&Header { kid: None, ..header.clone() }, &claims),
            sign(&Header { kid: Some("../../etc/passwd".into()), ..header.clone() }, &claims),
            sign(&Header { alg: Algorithm::HS512, ..header.clone() }, &claims),
            sign(&header, &Claims { aud: "another-api".into(), ..Claims::clone(&claims) }),
            sign(&header, &Claims { iss: "another-issuer".into(), ..Claims::clone(&claims) }),
            sign(&header, &Claims { nbf: NOW + 3600, ..Claims::clone(&claims) }),
            sign(&header, &Claims { iat: NOW + 3600, ..Claims::clone(&claims) }),
            sign(&header, &Claims { exp: NOW - 1, ..Claims::clone(&claims) }),
        ];
        for token in forged {
            assert_eq!(tokens.verify(&token, NOW), Err(InvalidToken), "{token}");
        }
    }

    fn ed25519(seed: u8) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(&[seed; 32])
    }

    #[test]
    fn token_signed_with_private_key_is_verified_with_public_key() {
        let (old, new) = (ed25519(1), ed25519(2));
        let before = AccessTokens::ed25519(&old, 900).unwrap();
        let token = before.issue(7, 9, NOW, &SystemRandom).unwrap();
        assert_eq!(jsonwebtoken::decode_header(&token).unwrap().alg, Algorithm::EdDSA);
        assert_eq!(before.verify(&token, NOW).unwrap().sub, "7");
        let after = |keys: &[ed25519_dalek::VerifyingKey]| {
            AccessTokens::ed25519(&new, 900).unwrap().accepting(&[], keys).unwrap()
        };
        assert!(after(&[]).verify(&token, NOW).is_err());
        assert!(after(&[old.verifying_key()]).verify(&token, NOW).is_ok());
        let published = after(&[old.verifying_key()]).public_keys();
        assert_eq!(published["keys"].as_array().unwrap().len(), 2);
        // Rotation from one algorithm to the other, and back.
        let secret: SecretString = "one".into();
        let by_secret = tokens("one", &[]).issue(7, 9, NOW, &SystemRandom).unwrap();
        let both = AccessTokens::ed25519(&old, 900).unwrap().accepting(std::slice::from_ref(&secret), &[]).unwrap();
        assert!(both.verify(&by_secret, NOW).is_ok());
        let back = AccessTokens::new(&secret, &[], 900).accepting(&[], &[old.verifying_key()]).unwrap();
        assert!(back.verify(&token, NOW).is_ok());
        assert_eq!(tokens("one", &[]).public_keys(), json!({"keys": []}));
    }

    #[test]
    fn public_key_is_not_accepted_as_a_secret() {
        let key = ed25519(1);
        let server = AccessTokens::ed25519(&key, 900).unwrap().accepting(&["one".into()], &[]).unwrap();
        let good = server.issue(7, 9, NOW, &SystemRandom).unwrap();
        let claims = server.verify(&good, NOW).unwrap();
        let published = server.public_keys()["keys"][0].clone();
        let (kid, x) = (published["kid"].as_str().unwrap().to_owned(), published["x"].as_str().unwrap().to_owned());
        let sign = |algorithm, kid: &str, key: &EncodingKey| {
            jsonwebtoken::encode(&header(algorithm, kid.to_owned()), &*claims, key).unwrap()
        };
        let secret_id = key_id(&"one".into());
        let raw = key.verifying_key().to_bytes();
        let ed = EncodingKey::from_ed_der(key.to_pkcs8_der().unwrap().as_bytes());
        let forged = [
            // The public key as an HMAC secret.
            sign(Algorithm::HS256, &kid, &EncodingKey::from_secret(&raw)),
            sign(Algorithm::HS256, &kid, &EncodingKey::from_secret(x.as_bytes())),
            sign(Algorithm::HS256, &kid, &EncodingKey::from_secret(b"")),
            // Each key with the algorithm and the ID of the other.
            sign(Algorithm::HS256, &kid, &EncodingKey::from_secret(b"one")),
            sign(Algorithm::EdDSA, &secret_id, &ed),
            sign(Algorithm::EdDSA, "", &ed),
        ];
        for token in forged {
            assert_eq!(server.verify(&token, NOW), Err(InvalidToken), "{token}");
        }
        assert!(
            server.verify(&sign(Algorithm::EdDSA, &kid, &ed), NOW).is_ok(),
            "the valid token differs in nothing else"
        );
        assert!(published.get("d").is_none(), "{published}");
    }
}
