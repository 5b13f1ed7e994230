//! Decisions and transactions, in the words of the domain: no HTTP, no SQL.

mod accounts;
mod audit;
mod bucketlists;
mod creation;
mod error;
mod exports;
mod incidents;
mod items;
mod pages;
mod passwords;
mod revisions;
mod search;
mod sessions;
mod throttle;
mod users;
mod version;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

pub use accounts::{Accounts, NewAccount, Session};
pub use audit::Audit;
pub use bucketlists::{BucketlistChanges, BucketlistContent, Bucketlists, WithItems};
pub use creation::Made;
pub use error::{Conflict, Error, Field, Forbidden, Resource, Unauthenticated, codes};
pub use exports::{ExportFile, Exports};
pub use incidents::{IncidentChanges, Incidents, RetentionPolicy};
pub use items::{ItemChanges, ItemContent, Items};
pub use pages::{CursorPage, CursorQuery, MAX_PER_PAGE, PageRequest};
pub use revisions::Revisions;
pub use search::{Found, Search};
pub use sessions::{SessionPlace, Sessions};
pub use users::{AccountChanges, Users};
pub use version::{ETag, Precondition};

use creation::Named;

use crate::{
    auth::{AccessTokens, Hasher, RefreshTokens, TokenStatusCache},
    db::{Db, DbConnection, repositories::users as accounts_of},
    domain::{Clock, PasswordPolicy, Random, RateLimiter},
};

/// What every service works with.
pub struct Context {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub hasher: Hasher,
    pub policy: PasswordPolicy,
    pub tokens: Arc<AccessTokens>,
    pub refresh_tokens: RefreshTokens,
    pub refresh_ttl: Duration,
    pub session_ttl: Duration,
    pub token_status: TokenStatusCache,
    pub revisions: Revisions,
    /// `None`: nothing is limited.
    pub limits: Option<Arc<dyn RateLimiter>>,
    pub outbox: Outbox,
}

/// Rung after a commit that put a job in: whoever does jobs of that kind need not look by themselves.
#[derive(Default)]
pub struct Outbox {
    pub mail: Notify,
    pub exports: Notify,
}

/// The services, sharing one context.
#[derive(Clone)]
pub struct Services {
    pub accounts: Accounts,
    pub users: Users,
    pub sessions: Sessions,
    pub bucketlists: Bucketlists,
    pub items: Items,
    pub search: Search,
    pub exports: Exports,
    pub audit: Audit,
    pub incidents: Incidents,
}

impl Services {
    /// All of them; exports are kept for `export_ttl`.
    #[must_use]
    pub fn new(context: &Arc<Context>, retention: RetentionPolicy, export_ttl: Duration) -> Self {
        Self {
            accounts: Accounts(Arc::clone(context)),
            users: Users(Arc::clone(context)),
            sessions: Sessions(Arc::clone(context)),
            bucketlists: Bucketlists(Arc::clone(context)),
            items: Items(Arc::clone(context)),
            search: Search(Arc::clone(context)),
            exports: Exports { context: Arc::clone(context), ttl: export_ttl },
            audit: Audit(Arc::clone(context)),
            incidents: Incidents { context: Arc::clone(context), retention: Arc::new(retention) },
        }
    }
}

impl Context {
    /// Runs a unit that changes how tokens stand: the next request of each is judged anew.
    async fn change_standing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut DbConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let token_status = self.token_status.clone();
        self.db.write_then(work, move || token_status.invalidate()).await
    }

    /// Runs a unit that changes what `owner` owns. Whatever is remembered of it is void before this returns.
    async fn change_of<T: Send + 'static>(
        &self,
        owner: i64,
        work: impl FnOnce(&mut DbConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let revisions = self.revisions.clone();
        let counted = move |c: &mut DbConnection| {
            // First: whoever deletes the account locks in that order, too.
            accounts_of::count_change(c, owner)?;
            work(c)
        };
        self.db.write_then(counted, move || revisions.count(owner)).await
    }

    /// As [`Self::change_of`], for a creation that its caller may have named: then it is made once.
    async fn make_of<T>(
        &self,
        owner: i64,
        named: Option<Named>,
        work: impl Fn(&mut DbConnection) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Result<Made<T>, Error>
    where
        T: serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
    {
        let now = self.clock.now();
        creation::patiently(|| {
            let (revisions, named, work) = (self.revisions.clone(), named.clone(), work.clone());
            let counted = move |c: &mut DbConnection| {
                creation::once(c, named.as_ref(), now, |c| {
                    accounts_of::count_change(c, owner)?;
                    work(c)
                })
            };
            self.db.write_then(counted, move || revisions.count(owner))
        })
        .await
    }
}
