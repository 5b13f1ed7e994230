//! How access tokens stand: their session, their account, themselves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;

use super::Claims;
use crate::db::{
    Db, DbError,
    repositories::sessions::{self, TokenStatus},
};

/// How tokens stand, remembered between requests where this process is the only one that changes them.
///
/// Coherent: whoever ends a session or changes an account calls [`TokenStatusCache::forget`] after the commit and before
/// answering, and every memory older than that call is void. The command line changes the embedded database from outside;
/// the time to live bounds how long that goes unseen.
#[derive(Clone)]
pub struct TokenStatusCache {
    generation: Arc<AtomicU64>,
    memory: Option<Cache<String, (u64, TokenStatus)>>,
}

/// How long a change from outside this process may go unseen.
const MEMORY: Duration = Duration::from_secs(1);

impl TokenStatusCache {
    /// Remembers if `is_sole_writer`; otherwise every request asks the database.
    #[must_use]
    pub fn new(is_sole_writer: bool) -> Self {
        let memory = is_sole_writer.then(|| Cache::builder().max_capacity(10_000).time_to_live(MEMORY).build());
        Self { generation: Arc::new(AtomicU64::new(0)), memory }
    }

    /// Voids every memory.
    pub fn invalidate(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn recall(&self, token_id: &str) -> Option<TokenStatus> {
        let (generation, status) = self.memory.as_ref()?.get(token_id)?;
        (generation == self.generation()).then_some(status)
    }

    /// Remembers what was read since `generation`.
    fn remember(&self, generation: u64, token_id: &str, status: &TokenStatus) {
        if let Some(memory) = &self.memory {
            memory.insert(token_id.to_owned(), (generation, status.clone()));
        }
    }

    /// How the token of these claims stands now; `None`: its session is gone.
    ///
    /// # Errors
    /// When the database cannot tell.
    pub async fn get(&self, db: &Db, claims: &Claims) -> Result<Option<TokenStatus>, DbError> {
        if let Some(status) = self.recall(&claims.jti) {
            return Ok(Some(status));
        }
        let generation = self.generation();
        let (session_id, token_id) = (claims.sid, claims.jti.clone());
        let status = db.read(move |c| sessions::token_status(c, session_id, &token_id).map_err(DbError::from)).await?;
        if let Some(status) = &status {
            self.remember(generation, &claims.jti, status);
        }
        Ok(status)
    }
}
