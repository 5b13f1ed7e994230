//! Incidents: captured failures, and groups of failures with the same fingerprint.

use serde::Serialize;

use super::{IncidentGroupId, IncidentId, KeysetPosition, SortKey, SortValue, Timestamp, UserId, text_enum::text_enum};

text_enum! {
    /// A version of the API.
    #[derive(PartialOrd, Ord)]
    ApiVersion {
        /// `/v1`.
        V1 "v1"
        /// `/v2`.
        V2 "v2"
    }
}

/// A captured failure without its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incident {
    pub id: IncidentId,
    pub group: IncidentGroup,
    /// The authenticated account, unless it was deleted.
    pub user_id: Option<UserId>,
    pub request_id: String,
    pub method: String,
    /// `None` for unversioned paths.
    pub contract: Option<ApiVersion>,
    /// Time until the response was ready, in microseconds.
    pub duration: i64,
    pub server_version: String,
    pub received_at: Timestamp,
}

/// Failures with the same operation, status, error code and site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentGroup {
    pub id: IncidentGroupId,
    pub fingerprint: String,
    pub operation: Option<String>,
    pub status: i32,
    pub code: Option<String>,
    /// Origin of the error; empty until a failure of the group is captured.
    pub site: String,
    /// Number of failures, including those that were not captured.
    pub occurrences: i64,
    pub state: IncidentState,
    /// Version that contains the fix, as stated by an administrator.
    pub fixed_in: Option<String>,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
}

/// The state of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum IncidentState {
    Open,
    /// Marked as fixed.
    Resolved {
        at: Timestamp,
    },
    /// Occurred again after it was marked as fixed.
    Regressed {
        at: Timestamp,
    },
}

/// Changes to a group; `None` leaves a field unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentChanges {
    pub resolved: Option<bool>,
    /// Version that contains the fix.
    pub fixed_in: Option<String>,
}

impl Incident {
    /// Returns the position in a list sorted by time.
    #[must_use]
    pub fn position(&self) -> KeysetPosition {
        KeysetPosition { value: SortValue::Timestamp(self.received_at), id: self.id.get() }
    }
}

impl IncidentGroup {
    /// Returns the position in a list sorted by the time of the last failure, or of the first one.
    #[must_use]
    pub fn position(&self, sort: SortKey) -> KeysetPosition {
        let time = if sort == SortKey::UpdatedAt { self.last_seen_at } else { self.first_seen_at };
        KeysetPosition { value: SortValue::Timestamp(time), id: self.id.get() }
    }

    /// Returns whether the group is marked as fixed and has not occurred since.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        matches!(self.state, IncidentState::Resolved { .. })
    }

    /// Returns the time at which the group was marked as fixed.
    #[must_use]
    pub fn resolved_at(&self) -> Option<Timestamp> {
        match self.state {
            IncidentState::Resolved { at } => Some(at),
            IncidentState::Open | IncidentState::Regressed { .. } => None,
        }
    }

    /// Applies changes.
    pub fn apply(&mut self, changes: IncidentChanges, now: Timestamp) {
        let is_regressed = matches!(self.state, IncidentState::Regressed { .. });
        match changes.resolved {
            Some(true) => {
                // The failure occurred in the version that was to fix it, so a new resolution must not inherit that version.
                let inherited = self.fixed_in.take().filter(|_| !is_regressed);
                self.fixed_in = changes.fixed_in.or(inherited);
                if !self.is_resolved() {
                    self.state = IncidentState::Resolved { at: now };
                }
            }
            Some(false) => {
                self.fixed_in = None;
                self.state = IncidentState::Open;
            }
            None => {
                if let Some(version) = changes.fixed_in {
                    self.fixed_in = Some(version);
                    // The version is a new one, which the next resolution keeps.
                    if is_regressed {
                        self.state = IncidentState::Open;
                    }
                }
            }
        }
    }
}

/// A number of equal failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureOccurrence {
    pub fingerprint: String,
    pub operation: Option<String>,
    pub status: i32,
    pub code: Option<String>,
    /// Origin of the error, redacted; empty if it is not known.
    pub site: String,
    pub count: i64,
    pub last_seen_at: Timestamp,
}

/// An incident to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIncident {
    pub occurrence: FailureOccurrence,
    pub user_id: Option<UserId>,
    pub request_id: String,
    pub method: String,
    pub contract: Option<ApiVersion>,
    /// In microseconds.
    pub duration: i64,
    pub server_version: String,
    pub record: StoredRecord,
    pub received_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The record of an incident in its stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// ID of the key; `None` if the record is not encrypted.
    pub key_id: Option<String>,
    pub bytes: Vec<u8>,
}

/// A filter of incidents; `None` matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    pub operation: Option<String>,
    pub status: Option<i32>,
    pub code: Option<String>,
    pub fingerprint: Option<String>,
    pub request_id: Option<String>,
    pub resolved: Option<bool>,
    pub received_after: Option<Timestamp>,
    pub received_until: Option<Timestamp>,
}

/// A filter of groups; `None` matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentGroupFilter {
    pub operation: Option<String>,
    pub status: Option<i32>,
    pub code: Option<String>,
    pub resolved: Option<bool>,
}

/// The stored incidents of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentGroupActivity {
    /// Number of incidents.
    pub incidents: i64,
    /// Number of different users.
    pub users: i64,
    /// Number of incidents on each of the last days in UTC, the current day last.
    pub daily: Vec<i64>,
}

impl IncidentGroupActivity {
    /// Number of days.
    pub const DAYS: usize = 14;
}

impl Default for IncidentGroupActivity {
    fn default() -> Self {
        Self { incidents: 0, users: 0, daily: vec![0; Self::DAYS] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(9);

    fn group(state: IncidentState, fixed_in: Option<&str>) -> IncidentGroup {
        IncidentGroup {
            id: IncidentGroupId::new(1),
            fingerprint: "f".to_owned(),
            operation: None,
            status: 500,
            code: None,
            site: String::new(),
            occurrences: 1,
            state,
            fixed_in: fixed_in.map(str::to_owned),
            first_seen_at: Timestamp::from_micros(1),
            last_seen_at: Timestamp::from_micros(2),
        }
    }

    #[test]
    fn changes_determine_state_and_version() {
        use IncidentState::{Open, Regressed, Resolved};
        let at = Timestamp::from_micros(5);
        for (state, fixed_in, resolved, version, expected) in [
            (Open, None, Some(true), Some("2"), (Resolved { at: NOW }, Some("2"))),
            (Open, None, Some(true), None, (Resolved { at: NOW }, None)),
            (Open, Some("2"), Some(true), None, (Resolved { at: NOW }, Some("2"))),
            (Open, None, None, Some("2"), (Open, Some("2"))),
            (Resolved { at }, Some("2"), Some(true), None, (Resolved { at }, Some("2"))),
            (Resolved { at }, Some("2"), None, Some("3"), (Resolved { at }, Some("3"))),
            (Resolved { at }, Some("2"), Some(false), Some("3"), (Open, None)),
            (Regressed { at }, Some("2"), Some(true), None, (Resolved { at: NOW }, None)),
            (Regressed { at }, Some("2"), Some(true), Some("3"), (Resolved { at: NOW }, Some("3"))),
            (Regressed { at }, Some("2"), None, Some("3"), (Open, Some("3"))),
            (Regressed { at }, Some("2"), None, None, (Regressed { at }, Some("2"))),
        ] {
            let mut group = group(state, fixed_in);
            group.apply(IncidentChanges { resolved, fixed_in: version.map(str::to_owned) }, NOW);
            assert_eq!((group.state, group.fixed_in.as_deref()), expected, "{state:?} {fixed_in:?} {resolved:?}");
        }
    }
}
