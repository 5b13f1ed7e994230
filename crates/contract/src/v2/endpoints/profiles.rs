//! Profiles of the server, for administrators.

use super::*;

/// Profiles of the server, for administrators.
#[endpoints(ProfileRoutes, prefix_path = "/admin", tag = "Tag::Admin", operation = "Operation")]
pub trait ProfileEndpoints: Send + Sync + 'static {
    /// Record a profile
    ///
    /// Records a CPU profile for `seconds` and returns it as a flame graph (SVG) or in pprof format. The server records one CPU
    /// profile at a time. Profiles are disabled unless the operator has enabled them (`PROFILING`). For administrators only.
    ///
    /// With `format=heap`, returns a heap profile: the memory in use, grouped by allocating function. Requires a server that was
    /// built with the Cargo feature `heap-profile` and started with heap profiling; otherwise returns 404 `PROFILING_DISABLED`.
    #[oai(path = "/profile", method = "get", operation_id = "recordProfile")]
    #[operation(returns("The profile."), time_limit(60))]
    #[operation(errors(&[ErrorCode::ProfilingDisabled, ErrorCode::ProfileInProgress]))]
    async fn record(
        &self,
        caller: Admin,
        client: ClientInfo,
        accept: Accept,
        /// Duration of a CPU profile in seconds, 1 to 30. Ignored with `format=heap`. Default: 5.
        #[oai(validator(minimum(value = "1"), maximum(value = "30")))]
        seconds: Query<Option<i32>>,
        /// Kind and format of the profile. Default: `flamegraph`.
        format: Query<Option<ProfileFormat>>,
    ) -> Result<ProfileDownload>;
}
