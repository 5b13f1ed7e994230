//! The priority of threads whose work can wait.

/// Lowers the priority of this thread, so that requests go first when all cores are busy: a computation of tens of milliseconds would
/// otherwise delay reads that take a tenth of a millisecond.
#[cfg(target_os = "linux")]
pub fn lower() {
    const NICE: i32 = 10;
    // On Linux, priorities apply to threads.
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "cannot lower the priority of a thread");
    }
}

/// On other systems, priorities apply to the whole process.
#[cfg(not(target_os = "linux"))]
pub const fn lower() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn other_threads_keep_their_priority() {
        let priority = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let initial = priority();
        let lowered = std::thread::spawn(move || {
            lower();
            priority()
        });
        assert_eq!(lowered.join().unwrap(), initial.max(10));
        assert_eq!(priority(), initial);
    }
}
