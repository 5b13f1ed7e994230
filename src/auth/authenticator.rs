//! Whether an access token is good right now: its signature, its session, its account.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use contract::{ApiError, Authenticate, Caller, ErrorCode, caller::BoxFuture};
use moka::sync::Cache;
use poem::Request;

use super::{AccessTokens, Claims};
use crate::{
    db::{
        Db, DbError,
        repositories::sessions::{self, Standing},
    },
    domain::Clock,
    services,
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
}

/// What the request's token says, once its signature and times have been checked; put into the request by whoever needed
/// it first, so that it is checked once.
#[derive(Clone, Debug)]
pub struct Verified(pub Claims);

/// Verifies access tokens for the contract.
pub struct Authenticator {
    pub(crate) tokens: Arc<AccessTokens>,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) standings: Standings,
}

impl Authenticator {
    async fn standing(&self, claims: &Claims) -> Result<Option<Standing>, services::Error> {
        if let Some(standing) = self.standings.recall(&claims.jti) {
            return Ok(Some(standing));
        }
        let generation = self.standings.generation();
        let (session_id, token_id) = (claims.sid, claims.jti.clone());
        let standing =
            self.db.read(move |c| sessions::standing(c, session_id, &token_id).map_err(DbError::from)).await?;
        if let Some(standing) = &standing {
            self.standings.remember(generation, &claims.jti, standing);
        }
        Ok(standing)
    }

    async fn caller(&self, request: &Request, token: &str) -> Result<Caller, ApiError> {
        let claims = match request.extensions().get::<Verified>() {
            Some(Verified(claims)) => claims.clone(),
            None => self.tokens.verify(token, self.clock.now_seconds()).map_err(|_| ErrorCode::InvalidToken)?,
        };
        let standing = self.standing(&claims).await?.ok_or(ErrorCode::InvalidToken)?;
        if claims.sub.parse() != Ok(standing.user_id) {
            return Err(ErrorCode::InvalidToken.into());
        }
        if standing.disabled {
            return Err(ErrorCode::AccountDisabled.into());
        }
        if standing.session_ended || standing.token_revoked {
            return Err(ErrorCode::InvalidToken.into());
        }
        Ok(Caller {
            user_id: standing.user_id,
            session_id: claims.sid,
            token_id: claims.jti,
            token_expires_at: claims.exp,
            is_admin: standing.role == crate::db::repositories::users::ADMIN,
        })
    }
}

impl Authenticate for Authenticator {
    fn authenticate<'a>(&'a self, request: &'a Request, token: &'a str) -> BoxFuture<'a, Result<Caller, ApiError>> {
        Box::pin(self.caller(request, token))
    }
}
