//! CPU profiles: in which functions the process spends its time. And heap profiles: which functions have allocated its memory.
//!
//! A timer sends SIGPROF to the process, and the handler records the stack of the thread that is running. There is one timer per process, so
//! there is at most one profile at a time.

mod flame_graph;
mod heap;
mod pprof_format;

use std::{
    collections::BTreeMap,
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use flame_graph::FlameGraph;
use flate2::{Compression, write::GzEncoder};
pub use heap::record_heap_profile;
use pprof::{ProfilerGuard, ProfilerGuardBuilder, Report};
use prost::Message as _;

/// Samples per second of CPU time. Not a round number, so that work at regular intervals is not always or never sampled.
const FREQUENCY: i32 = 99;
/// Libraries in which no stack is recorded: the unwinder could wait for a lock that the interrupted code holds.
const SKIPPED_LIBRARIES: [&str; 4] = ["libc", "libgcc", "pthread", "vdso"];

/// A reason for not recording a profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("another profile is being recorded")]
    InProgress,
    /// The reason, and what the operator has to do.
    #[error("{0}")]
    HeapUnavailable(&'static str),
    #[error("cannot record a profile: {0}")]
    Failed(String),
}

/// Whether a profile is being recorded in this process.
static IS_RECORDING: AtomicBool = AtomicBool::new(false);

/// A profile that is being recorded, until it is finished or dropped.
pub struct Recording {
    guard: Option<ProfilerGuard<'static>>,
    _slot: Slot,
}

/// The place of the only recording.
struct Slot;

impl Drop for Slot {
    fn drop(&mut self) {
        IS_RECORDING.store(false, Ordering::SeqCst);
    }
}

impl Recording {
    /// Starts to record.
    ///
    /// # Errors
    /// [`ProfileError::InProgress`], or if the timer cannot be started.
    pub fn start() -> Result<Self, ProfileError> {
        if IS_RECORDING.swap(true, Ordering::SeqCst) {
            return Err(ProfileError::InProgress);
        }
        let slot = Slot;
        let builder = ProfilerGuardBuilder::default().frequency(FREQUENCY).blocklist(&SKIPPED_LIBRARIES);
        let guard = builder.build().map_err(|error| ProfileError::Failed(error.to_string()))?;
        Ok(Self { guard: Some(guard), _slot: slot })
    }

    /// Ends the recording after `duration`. Dropping the future ends it earlier.
    ///
    /// # Errors
    /// Fails if the samples cannot be read.
    pub async fn finish_after(self, duration: Duration) -> Result<Profile, ProfileError> {
        tokio::time::sleep(duration).await;
        // Reading the symbols of a large binary takes seconds.
        let finished = tokio::task::spawn_blocking(move || self.finish()).await;
        finished.unwrap_or_else(|error| Err(ProfileError::Failed(error.to_string())))
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// Fails if the samples cannot be read.
    pub fn finish(mut self) -> Result<Profile, ProfileError> {
        let guard = self.guard.take().ok_or(ProfileError::InProgress)?;
        let report = guard.report().build().map_err(|error| ProfileError::Failed(error.to_string()))?;
        Ok(Profile(report))
    }
}

/// A recorded profile.
pub struct Profile(Report);

impl Profile {
    /// Returns the profile in the format of `pprof`: a compressed protocol buffer.
    ///
    /// # Errors
    /// Fails if the profile cannot be encoded.
    pub fn to_pprof(&self) -> Result<Vec<u8>, ProfileError> {
        let profile = pprof_format::to_pprof(&self.0, i64::from(FREQUENCY));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let written = encoder.write_all(&profile.encode_to_vec()).and_then(|()| encoder.finish());
        written.map_err(|error| ProfileError::Failed(error.to_string()))
    }

    /// Returns the profile as a flame graph: an SVG image without scripts.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut stacks = BTreeMap::<Vec<String>, u64>::new();
        for (frames, count) in &self.0.data {
            let thread = pool_name(&frames.thread_name_or_id()).to_owned();
            let functions = frames.frames.iter().rev().flat_map(|frame| frame.iter().rev().map(pprof::Symbol::name));
            let stack = std::iter::once(thread).chain(functions).collect();
            *stacks.entry(stack).or_default() += u64::try_from(*count).unwrap_or_default();
        }
        let mut graph = FlameGraph::default();
        for (stack, count) in stacks {
            graph.add(stack, count);
        }
        graph.to_svg(u64::from(FREQUENCY.unsigned_abs()))
    }
}

/// Returns the name of a thread without its number, which the threads of a pool differ in.
fn pool_name(thread: &str) -> &str {
    match thread.rsplit_once('-') {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => thread,
    }
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, io::Read as _, time::Instant};

    use flate2::read::GzDecoder;

    use super::*;

    /// Has a name that is found in the profile.
    #[inline(never)]
    fn burn_cpu_time(duration: Duration) -> u64 {
        let (started, mut sum) = (Instant::now(), 0_u64);
        while started.elapsed() < duration {
            for number in 0..10_000_u64 {
                sum = black_box(sum.wrapping_mul(31).wrapping_add(number));
            }
        }
        sum
    }

    #[test]
    fn threads_of_a_pool_have_one_name() {
        for (thread, name) in
            [("argon2-0", "argon2"), ("db-12", "db"), ("tokio-rt-worker", "tokio-rt-worker"), ("main", "main")]
        {
            assert_eq!(pool_name(thread), name);
        }
    }

    /// One test, because a process has one profiler.
    #[tokio::test]
    async fn profile_contains_the_running_function_and_is_exclusive() {
        let recording = Recording::start().unwrap();
        assert!(matches!(Recording::start(), Err(ProfileError::InProgress)));
        black_box(burn_cpu_time(Duration::from_millis(500)));
        let profile = recording.finish().unwrap();

        let svg = profile.to_svg();
        assert!(svg.contains("burn_cpu_time"), "{svg}");
        let compressed = profile.to_pprof().unwrap();
        let mut bytes = Vec::new();
        GzDecoder::new(&*compressed).read_to_end(&mut bytes).unwrap();
        let decoded = pprof_format::PprofProfile::decode(&*bytes).unwrap();
        assert!(decoded.string_table.iter().any(|text| text.contains("burn_cpu_time")));

        // A recording that is dropped makes place for the next one.
        drop(Recording::start().unwrap());
        Recording::start().unwrap().finish_after(Duration::from_millis(1)).await.unwrap();
    }
}
