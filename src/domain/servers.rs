//! Servers that share a database, and the settings in which they must not differ.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::Timestamp;

/// The settings that all servers must share, by the name of their variable. Secrets are digests.
pub type SharedSettings = BTreeMap<String, String>;

/// A server that uses the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningServer {
    /// Identifies the process.
    pub id: String,
    /// Host name and port, or the host name if the port is not known.
    pub address: String,
    /// ID of the process on its host.
    pub process: u32,
    pub settings: SharedSettings,
}

impl fmt::Display for RunningServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.address, self.process)
    }
}

/// A setting in which two servers differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The other server.
    pub server: String,
    /// Name of the variable.
    pub setting: String,
}

impl Difference {
    /// Returns what follows from the difference.
    #[must_use]
    pub fn consequence(&self) -> &'static str {
        match self.setting.as_str() {
            "JWT_SECRET" | "JWT_PRIVATE_KEY" => "each server rejects the tokens of the other",
            "REDIS_URL" | "REDIS_PREFIX" => {
                "rate limits apply to each server, and a revoked token is accepted for up to 1 second"
            }
            "DATABASE_EXCLUSIVE" => {
                "a server with DATABASE_EXCLUSIVE=true must be the only one: it does not see the changes of others"
            }
            _ => "responses depend on the server",
        }
    }
}

/// Returns the settings in which another server differs.
#[must_use]
pub fn differences(own: &SharedSettings, server: &str, other: &SharedSettings) -> Vec<Difference> {
    let differs = |name: &&String| own.get(*name) != other.get(*name);
    let names: BTreeMap<&String, ()> = own.keys().chain(other.keys()).filter(differs).map(|name| (name, ())).collect();
    names.into_keys().map(|name| Difference { server: server.to_owned(), setting: name.clone() }).collect()
}

/// Minimum difference of two clocks that is reported.
pub const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(2);

/// Returns by how much a clock that was read between two times is wrong.
#[must_use]
pub fn clock_difference(before: Timestamp, theirs: Timestamp, after: Timestamp) -> Duration {
    let micros = (before.micros() - theirs.micros()).max(theirs.micros() - after.micros()).max(0);
    Duration::from_micros(micros.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differing_and_missing_settings_are_found() {
        let settings = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<SharedSettings>()
        };
        let own = settings(&[("JWT_SECRET", "a"), ("RATE_LIMIT_GENERAL", "600"), ("SESSION_TTL", "1")]);
        let other = settings(&[("JWT_SECRET", "b"), ("RATE_LIMIT_GENERAL", "600"), ("INCIDENTS_KEY", "1")]);
        let found: Vec<String> =
            differences(&own, "b.example.com", &other).into_iter().map(|difference| difference.setting).collect();
        assert_eq!(found, ["INCIDENTS_KEY", "JWT_SECRET", "SESSION_TTL"]);
        assert!(differences(&own, "b.example.com", &own).is_empty());
    }

    #[test]
    fn clock_that_was_read_between_two_times_is_not_wrong() {
        let at = Timestamp::from_micros;
        for (theirs, expected) in [(100, 0), (150, 0), (200, 0), (70, 30), (260, 60)] {
            assert_eq!(clock_difference(at(100), at(theirs), at(200)), Duration::from_micros(expected));
        }
    }
}
