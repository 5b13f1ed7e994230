//! CPU profiles of the server, for administrators.

use super::*;

/// CPU profiles of the server, for administrators.
#[endpoints(ProfileRoutes, prefix_path = "/admin", tag = "Tag::Admin", operation = "Operation")]
pub trait ProfileEndpoints: Send + Sync + 'static {
    /// Record a profile
    ///
    /// Records a CPU profile for `seconds` and returns it as a flame graph (SVG) or in pprof format. The server records one
    /// profile at a time. Profiles are disabled unless the operator has enabled them (`PROFILING`). For administrators only.
    #[oai(path = "/profile", method = "get", operation_id = "recordProfile")]
    #[operation(returns("The profile."), time_limit(60))]
    #[operation(errors(&[ErrorCode::ProfilingDisabled, ErrorCode::ProfileInProgress]))]
    async fn record(
        &self,
        caller: Admin,
        client: Client,
        accept: Accept,
        /// Duration in seconds. Default: 5.
        #[oai(validator(minimum(value = "1"), maximum(value = "30")))]
        seconds: Query<Option<i32>>,
        /// Format of the profile. Default: `flamegraph`.
        format: Query<Option<ProfileFormat>>,
    ) -> Result<ProfileDownload>;
}
