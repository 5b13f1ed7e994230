//! Password hashing: argon2id, off the runtime, within a budget of its own so that a flood of logins cannot starve reads.

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

use crate::{config::Passwords, domain::Random};

/// How long a login may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// No turn came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at once")]
pub struct HasherBusy;

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    /// As many as there are threads for it.
    turns: Arc<Semaphore>,
    threads: Sender<Box<dyn FnOnce() + Send>>,
    /// What an unknown account is verified against, at the same cost. Its digest is no password's.
    nobody: Arc<str>,
    computed: Arc<AtomicU64>,
}

impl Hasher {
    /// With the configured cost.
    ///
    /// # Errors
    /// When argon2 refuses the parameters.
    pub fn new(passwords: Passwords) -> Result<Self, argon2::Error> {
        let params = Params::new(passwords.memory_kib, passwords.passes, 1, None)?;
        // Half the cores: reads keep the other half.
        let count = (thread::available_parallelism().map_or(1, usize::from) / 2).max(1);
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            turns: Arc::new(Semaphore::new(count)),
            threads: start_threads(count),
            nobody: format!(
                "$argon2id$v=19$m={},t={},p=1$bm9ib2R5LWlzLWhvbWU$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                passwords.memory_kib, passwords.passes
            )
            .into(),
            computed: Arc::default(),
        })
    }

    /// How many hashes were asked for since the start: each costs the same.
    #[must_use]
    pub fn hash_count(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// The PHC string of a password.
    ///
    /// # Errors
    /// [`HasherBusy`].
    pub async fn hash(&self, password: SecretString, random: &dyn Random) -> Result<String, HasherBusy> {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        let argon2 = self.argon2.clone();
        self.in_turn(move || hash(&argon2, &password, &salt)).await?.ok_or(HasherBusy)
    }

    /// Whether `password` is the one of `phc`; `None` costs as much and is never right.
    ///
    /// # Errors
    /// [`HasherBusy`].
    pub async fn verify(&self, password: SecretString, phc: Option<String>) -> Result<bool, HasherBusy> {
        let (argon2, nobody) = (self.argon2.clone(), Arc::clone(&self.nobody));
        self.in_turn(move || {
            let right = PasswordHash::new(phc.as_deref().unwrap_or(&nobody))
                .is_ok_and(|hash| argon2.verify_password(password.expose_secret().as_bytes(), &hash).is_ok());
            right && phc.is_some()
        })
        .await
    }

    /// Whether a stored hash was made at another cost than the configured one.
    #[must_use]
    pub fn is_outdated(&self, phc: &str) -> bool {
        PasswordHash::new(phc).ok().and_then(|hash| Params::try_from(&hash).ok()).is_none_or(|params| {
            let now = self.argon2.params();
            (params.m_cost(), params.t_cost(), params.p_cost()) != (now.m_cost(), now.t_cost(), now.p_cost())
        })
    }

    /// As [`Self::hash`], at once and on this thread: for the command line.
    #[must_use]
    pub fn hash_now(&self, password: &SecretString, random: &dyn Random) -> Option<String> {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        hash(&self.argon2, password, &salt)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HasherBusy> {
        self.computed.fetch_add(1, Ordering::Relaxed);
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(HasherBusy) };
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move || {
            // Nobody waits for the answer when the client has gone.
            let _ = reply.send(work());
            drop(turn);
        });
        self.threads.send(job).map_err(|_| HasherBusy)?;
        answer.await.map_err(|_| HasherBusy)
    }
}

/// Threads of their own: one hash takes 19 MiB, and an allocator keeps that for each thread that ever asked for it. The
/// runtime's blocking threads are hundreds.
fn start_threads(count: usize) -> Sender<Box<dyn FnOnce() + Send>> {
    let (queue, jobs) = unbounded::<Box<dyn FnOnce() + Send>>();
    for number in 0..count {
        let jobs = jobs.clone();
        let work_off = move || {
            let_others_go_first();
            for job in jobs {
                // What panics drops its reply, and its caller is told to come back.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        };
        if let Err(error) = thread::Builder::new().name(format!("argon2-{number}")).spawn(work_off) {
            tracing::error!(%error, "cannot start a thread for hashing");
        }
    }
    queue
}

/// Where all cores are busy, whoever reads gets one nine times as often: a thread that computes for tens of milliseconds would
/// keep it from a read that needs it for one tenth of one.
#[cfg(target_os = "linux")]
fn let_others_go_first() {
    const NICE: i32 = 10;
    // To Linux, a thread is a process in this.
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "hashing has the priority of everything else");
    }
}

/// Elsewhere a priority is that of the whole process.
#[cfg(not(target_os = "linux"))]
const fn let_others_go_first() {}

fn hash(argon2: &Argon2<'_>, password: &SecretString, salt: &[u8]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    argon2.hash_password(password.expose_secret().as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_hashes_lets_others_go_first() {
        let passwords = Passwords { min_length: 8, memory_kib: 8, passes: 1, reset_ttl: Duration::ZERO };
        let hasher = Hasher::new(passwords).unwrap();
        let priority = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let here = priority();
        assert_eq!(hasher.in_turn(priority).await.unwrap(), here.max(10));
        assert_eq!(priority(), here, "and nobody else");
    }
}
