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
    repositories::sessions::{self, Standing},
};

/// How tokens stand, remembered between requests where this process is the only one that changes them.
///
/// Coherent: whoever ends a session or changes an account calls [`Standings::forget`] after the commit and before
/// answering, and every memory older than that call is void. The command line changes the embedded database from outside;
/// the time to live bounds how long that goes unseen.
#[derive(Clone)]
pub struct Standings {
    generation: Arc<AtomicU64>,
    memory: Option<Cache<String, (u64, Standing)>>,
}

/// How long a change from outside this process may go unseen.
const MEMORY: Duration = Duration::from_secs(1);

impl Standings {
    /// Remembers if `is_sole_writer`; otherwise every request asks the database.
    #[must_use]
    pub fn new(is_sole_writer: bool) -> Self {
        let memory = is_sole_writer.then(|| Cache::builder().max_capacity(10_000).time_to_live(MEMORY).build());
        Self { generation: Arc::new(AtomicU64::new(0)), memory }
    }

    /// Voids every memory.
    pub fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn recall(&self, token_id: &str) -> Option<Standing> {
        let (generation, standing) = self.memory.as_ref()?.get(token_id)?;
        (generation == self.generation()).then_some(standing)
    }

    /// Remembers what was read since `generation`.
    fn remember(&self, generation: u64, token_id: &str, standing: &Standing) {
        if let Some(memory) = &self.memory {
            memory.insert(token_id.to_owned(), (generation, standing.clone()));
        }
    }

    /// How the token of these claims stands now; `None`: its session is gone.
    ///
    /// # Errors
    /// When the database cannot tell.
    pub async fn of(&self, db: &Db, claims: &Claims) -> Result<Option<Standing>, DbError> {
        if let Some(standing) = self.recall(&claims.jti) {
            return Ok(Some(standing));
        }
        let generation = self.generation();
        let (session_id, token_id) = (claims.sid, claims.jti.clone());
        let standing = db.read(move |c| sessions::standing(c, session_id, &token_id).map_err(DbError::from)).await?;
        if let Some(standing) = &standing {
            self.remember(generation, &claims.jti, standing);
        }
        Ok(standing)
    }
}
