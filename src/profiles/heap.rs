//! Heap profiles: which functions have allocated the memory in use. jemalloc samples allocations, in builds with the feature `heap-profile`.

use super::ProfileError;

/// Returns the sampled allocations that are in use, in the format of `pprof`: a compressed protocol buffer.
///
/// # Errors
/// [`ProfileError::HeapUnavailable`] in other builds, or if jemalloc does not sample allocations. Fails if the temporary file for the
/// samples cannot be written.
#[cfg(feature = "heap-profile")]
pub async fn record_heap_profile() -> Result<Vec<u8>, ProfileError> {
    const INACTIVE: &str = "This server was started without heap profiling. Set the environment variable _RJEM_MALLOC_CONF to \
         `prof:true` and restart it.";
    let control = jemalloc_pprof::PROF_CTL.as_ref().ok_or(ProfileError::HeapUnavailable(INACTIVE))?;
    // Reading the symbols of a large binary takes seconds.
    let recorded = tokio::task::spawn_blocking(|| control.blocking_lock().dump_pprof()).await;
    let failed = |error: &dyn std::fmt::Display| ProfileError::Failed(error.to_string());
    recorded.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// Fails, because the server was built without the feature `heap-profile`.
///
/// # Errors
/// [`ProfileError::HeapUnavailable`].
#[cfg(not(feature = "heap-profile"))]
pub async fn record_heap_profile() -> Result<Vec<u8>, ProfileError> {
    const NOT_BUILT: &str = "This server was built without heap profiles. Build it with `cargo build --release --features \
         heap-profile`.";
    Err(ProfileError::HeapUnavailable(NOT_BUILT))
}
