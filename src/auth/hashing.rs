//! Password hashing with argon2id, on a few dedicated threads, so that many logins cannot slow down other requests.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version, password_hash::SaltString,
};
use crossbeam_channel::{Sender, unbounded};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, oneshot};

use crate::{
    config::PasswordSettings,
    domain::Random,
    thread_priority,
    traces::{self, SpanKind},
};

/// Maximum time to wait for a thread.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// No thread was available in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being hashed at once")]
pub struct HasherBusy;

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    /// One permit per thread.
    permits: Arc<Semaphore>,
    queue: Sender<Box<dyn FnOnce() + Send>>,
    /// The hash that the password of an unknown account is verified against, at the same cost. No password matches it.
    unknown_account: Arc<str>,
    hash_count: Arc<AtomicU64>,
}

impl Hasher {
    /// Starts the threads.
    ///
    /// # Errors
    /// Fails if the parameters are invalid for argon2.
    pub fn new(passwords: PasswordSettings) -> Result<Self, argon2::Error> {
        let params = Params::new(passwords.memory_kib, passwords.passes, 1, None)?;
        // Use half of the cores, so that the other half remains available to other requests.
        let count = (thread::available_parallelism().map_or(1, usize::from) / 2).max(1);
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            permits: Arc::new(Semaphore::new(count)),
            queue: start_threads(count),
            unknown_account: format!(
                "$argon2id$v=19$m={},t={},p=1$bm9ib2R5LWlzLWhvbWU$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                passwords.memory_kib, passwords.passes
            )
            .into(),
            hash_count: Arc::default(),
        })
    }

    /// Returns the number of hashes requested since the start. All have the same cost.
    #[must_use]
    pub fn hash_count(&self) -> u64 {
        self.hash_count.load(Ordering::Relaxed)
    }

    /// Returns the PHC string of a password.
    ///
    /// # Errors
    /// [`HasherBusy`].
    pub async fn hash(&self, password: SecretString, random: &dyn Random) -> Result<String, HasherBusy> {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        let argon2 = self.argon2.clone();
        self.run(move || hash(&argon2, &password, &salt)).await?.ok_or(HasherBusy)
    }

    /// Returns whether `password` matches `phc`. `None`, for an unknown account, has the same cost and never matches.
    ///
    /// # Errors
    /// [`HasherBusy`].
    pub async fn verify(&self, password: SecretString, phc: Option<String>) -> Result<bool, HasherBusy> {
        let (argon2, unknown_account) = (self.argon2.clone(), Arc::clone(&self.unknown_account));
        self.run(move || {
            let matches = PasswordHash::new(phc.as_deref().unwrap_or(&unknown_account))
                .is_ok_and(|hash| argon2.verify_password(password.expose_secret().as_bytes(), &hash).is_ok());
            matches && phc.is_some()
        })
        .await
    }

    /// Returns whether a stored hash has a different cost than the configured one.
    #[must_use]
    pub fn is_outdated(&self, phc: &str) -> bool {
        PasswordHash::new(phc).ok().and_then(|hash| Params::try_from(&hash).ok()).is_none_or(|params| {
            let now = self.argon2.params();
            (params.m_cost(), params.t_cost(), params.p_cost()) != (now.m_cost(), now.t_cost(), now.p_cost())
        })
    }

    /// Like [`Self::hash`], but blocks the calling thread. Used by the command line.
    #[must_use]
    pub fn hash_blocking(&self, password: &SecretString, random: &dyn Random) -> Option<String> {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        hash(&self.argon2, password, &salt)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HasherBusy> {
        self.hash_count.fetch_add(1, Ordering::Relaxed);
        let _span = traces::start(SpanKind::Internal, || ("Hasher::run", Vec::new()));
        let permit = tokio::time::timeout(QUEUE_TIMEOUT, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(HasherBusy) };
        let (sender, result) = oneshot::channel();
        let task = Box::new(move || {
            // The receiver is dropped when the client disconnects.
            let _ = sender.send(work());
            drop(permit);
        });
        self.queue.send(task).map_err(|_| HasherBusy)?;
        result.await.map_err(|_| HasherBusy)
    }
}

/// Starts dedicated threads. A hash needs 19 MiB, which the allocator does not return until the thread ends. On the hundreds of
/// blocking threads of the runtime, this memory would add up.
fn start_threads(count: usize) -> Sender<Box<dyn FnOnce() + Send>> {
    let (queue, tasks) = unbounded::<Box<dyn FnOnce() + Send>>();
    for number in 0..count {
        let tasks = tasks.clone();
        let run = move || {
            thread_priority::lower();
            for task in tasks {
                // A panic drops the sender, and the caller receives `HasherBusy`.
                let _ = catch_unwind(AssertUnwindSafe(task));
            }
        };
        if let Err(error) = thread::Builder::new().name(format!("argon2-{number}")).spawn(run) {
            tracing::error!(%error, "cannot start a hashing thread");
        }
    }
    queue
}

fn hash(argon2: &Argon2<'_>, password: &SecretString, salt: &[u8]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    argon2.hash_password(password.expose_secret().as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashing_threads_have_low_priority() {
        let passwords = PasswordSettings { min_length: 8, memory_kib: 8, passes: 1, reset_ttl: Duration::ZERO };
        let hasher = Hasher::new(passwords).unwrap();
        let priority = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let initial = priority();
        assert_eq!(hasher.run(priority).await.unwrap(), initial.max(10));
        assert_eq!(priority(), initial, "other threads keep their priority");
    }
}
