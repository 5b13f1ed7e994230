//! Suspends the caches of all servers while this one cannot reach Redis, so that its changes need not invalidate them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    db::{Db, DbError, repositories::cache_suspensions},
    domain::Clock,
    redis::{CacheSuspension, MAX_AGE, Redis},
};

/// Length of a suspension. The difference to [`TRUSTED`] is the difference of clocks that is tolerated.
const LENGTH: Duration = Duration::from_secs(15);
/// Time after the last extension for which this server relies on it.
const TRUSTED: Duration = Duration::from_secs(5);
const EXTENSION_INTERVAL: Duration = Duration::from_secs(2);
/// Maximum error of measured times.
const MARGIN: Duration = Duration::from_millis(20);

/// The suspension, in the database.
#[derive(Clone)]
pub struct DatabaseCacheSuspension(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Arc<dyn Clock>,
    lasting: Mutex<Option<Lasting>>,
    /// Whether a task extends the suspension.
    is_extended: AtomicBool,
}

/// A suspension without interruption.
#[derive(Clone, Copy)]
struct Lasting {
    since: Instant,
    until: Instant,
}

impl DatabaseCacheSuspension {
    #[must_use]
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { db, clock, lasting: Mutex::default(), is_extended: AtomicBool::new(false) }))
    }
}

impl CacheSuspension for DatabaseCacheSuspension {
    fn is_effective(&self) -> bool {
        let (now, lasting) = (Instant::now(), *self.0.lasting.lock().unwrap_or_else(PoisonError::into_inner));
        // What was cached before has expired, and since then nothing is.
        lasting.is_some_and(|lasting| lasting.since + MAX_AGE + MARGIN <= now && now < lasting.until)
    }

    fn start(&self, redis: &Redis) {
        if self.0.is_extended.swap(true, Ordering::SeqCst) {
            return;
        }
        let (inner, redis) = (Arc::clone(&self.0), redis.clone());
        tokio::spawn(async move {
            while !redis.is_connected() {
                if let Err(error) = inner.extend().await {
                    tracing::warn!(%error, "cannot suspend the caches of other servers; changes are acknowledged after 1 second");
                }
                sleep(EXTENSION_INTERVAL).await;
            }
            inner.is_extended.store(false, Ordering::SeqCst);
        });
    }
}

impl Inner {
    async fn extend(&self) -> Result<(), DbError> {
        let (started, ends_at) = (Instant::now(), self.clock.now() + LENGTH);
        self.db.write(move |c| cache_suspensions::extend(c, ends_at).map_err(DbError::from)).await?;
        let (committed, until) = (Instant::now(), started + TRUSTED);
        let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = lasting.filter(|lasting| started < lasting.until);
        *lasting = Some(Lasting { since: previous.map_or(committed, |lasting| lasting.since), until });
        Ok(())
    }
}
