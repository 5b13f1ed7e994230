//! Identifiers: one type per entity, so that the ID of a list cannot be passed where the ID of an item is expected.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Wraps the number that is stored and shown.
            #[must_use]
            pub const fn new(id: i64) -> Self {
                Self(id)
            }

            /// Returns the number that is stored and sent.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// ID of an account.
    UserId
    /// ID of a session.
    SessionId
    /// ID of a bucketlist.
    BucketlistId
    /// ID of an item.
    ItemId
    /// ID of an export.
    ExportId
    /// ID of an audit event.
    AuditEventId
    /// ID of an incident.
    IncidentId
    /// ID of a group of incidents.
    IncidentGroupId
    /// ID of an API client.
    ApiClientId
    /// ID of a background job.
    JobId
}
