//! Access tokens: short-lived JWTs (RFC 9068), checked as RFC 8725 asks: one algorithm, explicit type, issuer and audience.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::Random;

const TYPE: &str = "at+jwt";
const AUDIENCE: &str = "bucketlist-api";
const ISSUER: &str = "bucketlist";
/// How far the clocks of two machines may be apart, in seconds.
const CLOCK_SKEW: i64 = 5;

/// What an access token says.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    /// The user.
    pub sub: String,
    /// The session.
    pub sid: i64,
    /// The token itself.
    pub jti: String,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
}

/// The token is malformed, forged, expired or not for us. On purpose it does not say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access token is not valid")]
pub struct InvalidToken;

/// Makes and verifies access tokens.
pub struct AccessTokens {
    signing: EncodingKey,
    header: Header,
    /// The current key first, then the previous ones.
    verifying: Vec<(String, DecodingKey)>,
    validation: Validation,
    ttl: i64,
}

impl AccessTokens {
    /// Signs with `secret`, still accepts `previous`; tokens are good for `ttl` seconds.
    #[must_use]
    pub fn new(secret: &SecretString, previous: &[SecretString], ttl: i64) -> Self {
        let bytes = secret.expose_secret().as_bytes();
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key_id(secret));
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Checked here, by the injected clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let verifying = std::iter::once(secret)
            .chain(previous)
            .map(|secret| (key_id(secret), DecodingKey::from_secret(secret.expose_secret().as_bytes())))
            .collect();
        Self { signing: EncodingKey::from_secret(bytes), header, verifying, validation, ttl }
    }

    /// How many seconds a token is good.
    #[must_use]
    pub const fn ttl(&self) -> i64 {
        self.ttl
    }

    /// A token for a session, from `now` (seconds) on.
    ///
    /// # Errors
    /// When signing fails, which takes a broken key.
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

    /// What a token says, if it is one of ours and good at `now` (seconds).
    ///
    /// # Errors
    /// [`InvalidToken`].
    pub fn verify(&self, token: &str, now: i64) -> Result<Claims, InvalidToken> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| InvalidToken)?;
        if header.typ.as_deref() != Some(TYPE) || header.alg != Algorithm::HS256 {
            return Err(InvalidToken);
        }
        let key_id = header.kid.as_deref().ok_or(InvalidToken)?;
        let (_, key) = self.verifying.iter().find(|(id, _)| id == key_id).ok_or(InvalidToken)?;
        let claims: Claims = jsonwebtoken::decode(token, key, &self.validation).map_err(|_| InvalidToken)?.claims;
        let is_good = now < claims.exp && now >= claims.nbf - CLOCK_SKEW && now >= claims.iat - CLOCK_SKEW;
        is_good.then_some(claims).ok_or(InvalidToken)
    }
}

/// Names a key without telling it.
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
    fn a_token_is_good_from_its_issue_to_its_end() {
        let tokens = tokens("one", &[]);
        let token = tokens.issue(7, 9, NOW, &SystemRandom).unwrap();
        for (now, good) in [(NOW - 6, false), (NOW - 5, true), (NOW, true), (NOW + 899, true), (NOW + 900, false)] {
            assert_eq!(tokens.verify(&token, now).is_ok(), good, "{}", now - NOW);
        }
        let claims = tokens.verify(&token, NOW).unwrap();
        assert_eq!((claims.sub.as_str(), claims.sid), ("7", 9));
    }

    #[test]
    fn a_previous_secret_is_accepted_and_a_strange_one_is_not() {
        let token = tokens("old", &[]).issue(7, 9, NOW, &SystemRandom).unwrap();
        assert!(tokens("new", &["old"]).verify(&token, NOW).is_ok());
        assert!(tokens("new", &[]).verify(&token, NOW).is_err());
    }

    #[test]
    fn forged_tokens_are_refused() {
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
            sign(&header, &Claims { aud: "somebody-else".into(), ..claims.clone() }),
            sign(&header, &Claims { iss: "somebody-else".into(), ..claims.clone() }),
            sign(&header, &Claims { nbf: NOW + 3600, ..claims.clone() }),
            sign(&header, &Claims { iat: NOW + 3600, ..claims.clone() }),
            sign(&header, &Claims { exp: NOW - 1, ..claims.clone() }),
        ];
        for token in forged {
            assert_eq!(tokens.verify(&token, NOW), Err(InvalidToken), "{token}");
        }
    }
}
