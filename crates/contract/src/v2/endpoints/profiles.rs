//! CPU profiles of the server, for administrators.

use super::*;

/// CPU profiles of the server, for administrators.
#[endpoints(ProfileRoutes, prefix_path = "/admin", tag = "Tag::Admin", operation = "Operation")]
pub trait ProfileEndpoints: Send + Sync + 'static {
    /// Record a profile
    ///
    /// Records for some seconds in which functions the server spends its CPU time, and returns the result as a flame graph or
    /// for the program `pprof`. The server records one profile at a time. Profiles are disabled unless the operator has
    /// enabled them (`PROFILING`). For administrators only.
    #[oai(path = "/profile", method = "get", operation_id = "recordProfile")]
    #[operation(returns("The profile."))]
    #[operation(errors(&[ErrorCode::ProfilingDisabled, ErrorCode::ProfileInProgress]))]
    async fn record(
        &self,
        caller: Admin,
        client: Client,
        accept: Accept,
        /// Duration in seconds. The default is 5. Must be less than the request timeout of the server.
        #[oai(validator(minimum(value = "1"), maximum(value = "20")))]
        seconds: Query<Option<i32>>,
        /// Format of the profile. The default is `flamegraph`.
        format: Query<Option<ProfileFormat>>,
    ) -> Result<ProfileDownload>;
}
