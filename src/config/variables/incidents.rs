//! The variable of incident replays.

use super::{Variable, variable::secret};

pub(super) const INCIDENTS: &[Variable] = &[secret(
    "REPLAY_TARGETS",
    "Servers that administrators can replay incidents on. A replay modifies the server. In development, the default is this server.",
    "NAME=URL, separated by commas; the URL can contain the percent-encoded email address and password of an administrator",
    "staging=https://ops%40example.com:secret@staging.example.com",
)];
