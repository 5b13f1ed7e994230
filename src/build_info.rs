//! Version, commit and time of this build.

/// The version of the server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from, or `unknown`.
pub const COMMIT: &str = env!("BUCKETLIST_COMMIT");
/// When it was built, in UTC, or `unknown`.
pub const BUILT: &str = env!("BUCKETLIST_BUILD_TIME");
/// The contract versions it serves.
pub const CONTRACTS: &[&str] = &["v1", "v2"];
