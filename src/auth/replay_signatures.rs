//! Signatures by which the servers of a deployment recognize their own replays of incidents.
//!
//! A replay is neither captured nor reported by email. A client that could mark its requests as replays could hide failures and
//! logins, so the mark is signed with the secret of the deployment.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

use super::Signer;
use crate::domain::Clock;

/// Header of a request that a server sends for a replay.
pub const REPLAY_SIGNATURE_HEADER: &str = "x-replay-signature";

/// Validity of a signature before and after its time. Longer than a replay, and limited because the target receives it.
const VALIDITY: Duration = Duration::from_secs(60);

/// Issues and verifies signatures of replays. Cheap to clone.
#[derive(Clone)]
pub struct ReplaySignatures {
    signer: Arc<Signer>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for ReplaySignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplaySignatures").finish_non_exhaustive()
    }
}

impl ReplaySignatures {
    /// Derives the key from the secret of the deployment.
    #[must_use]
    pub fn new(secret: &SecretString, previous: &[SecretString], clock: Arc<dyn Clock>) -> Self {
        Self { signer: Arc::new(Signer::new(secret, previous, "replays")), clock }
    }

    /// Returns the value of [`REPLAY_SIGNATURE_HEADER`] for a replay that starts now.
    #[must_use]
    pub fn issue(&self) -> String {
        let time = self.clock.now_seconds().to_string();
        let signature = URL_SAFE_NO_PAD.encode(self.signer.sign(time.as_bytes()));
        format!("{time}.{signature}")
    }

    /// Returns whether a server of this deployment has issued the value within the last minute.
    #[must_use]
    pub fn verify(&self, value: &str) -> bool {
        let Some((time, signature)) = value.split_once('.') else { return false };
        let (Ok(seconds), Ok(signature)) = (time.parse::<i64>(), URL_SAFE_NO_PAD.decode(signature)) else {
            return false;
        };
        let is_recent = self.clock.now_seconds().abs_diff(seconds) <= VALIDITY.as_secs();
        is_recent && self.signer.verify(time.as_bytes(), &signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ManualClock, Timestamp};

    fn at(seconds: i64, secret: &str, previous: &[&str]) -> ReplaySignatures {
        let previous: Vec<SecretString> = previous.iter().map(|secret| (*secret).into()).collect();
        ReplaySignatures::new(&secret.into(), &previous, Arc::new(ManualClock::at(Timestamp::from_seconds(seconds))))
    }

    #[test]
    fn signature_is_valid_for_a_minute_on_servers_with_the_same_secret() {
        let issued = at(1_000, "a", &[]).issue();
        for (seconds, secret, previous, expected) in [
            (1_000, "a", &[][..], true),
            (1_060, "a", &[], true),
            (940, "a", &[], true),
            (1_061, "a", &[], false),
            (939, "a", &[], false),
            (1_000, "b", &["a"], true),
            (1_000, "b", &[], false),
        ] {
            assert_eq!(at(seconds, secret, previous).verify(&issued), expected, "{seconds} {secret}");
        }
        let signature = issued.split_once('.').map_or("", |(_, signature)| signature);
        for invalid in ["", "1", "true", "1000.", &format!("1001.{signature}"), &format!("01000.{signature}")] {
            assert!(!at(1_000, "a", &[]).verify(invalid), "{invalid}");
        }
    }
}
