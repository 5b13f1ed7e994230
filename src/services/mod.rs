//! Business rules and transactions, in domain terms: no HTTP, no SQL.

mod accounts;
mod api_clients;
mod audit;
mod bucketlists;
mod deprecations;
mod devices;
mod error;
mod exports;
mod idempotency;
mod imports;
mod incidents;
mod items;
mod jobs;
mod min_revision;
mod passwords;
mod precondition;
mod profiles;
mod replays;
mod revisions;
mod search;
mod sessions;
mod throttle;
mod usage;
mod users;

use std::{any::type_name_of_val, sync::Arc, time::Duration};

use tokio::sync::watch;

pub use accounts::{Accounts, NewAccount, SessionTokens};
pub use api_clients::{ApiClientContent, ApiClients, RotatedKey};
pub use audit::Audit;
pub use bucketlists::{BucketlistChanges, Bucketlists, WithItems};
pub use deprecations::{DeprecationReportOptions, Deprecations, report_deprecations};
pub use error::{Conflict, Error, Forbidden, InvalidField, Resource, Unauthenticated};
pub use exports::{ExportFile, Exports};
pub use idempotency::Idempotent;
pub use imports::{ImportRecord, Imports};
pub use incidents::{Incidents, RetentionPolicy};
pub use items::{ItemChanges, Items};
pub use jobs::{Jobs, cancel_job, delete_job, retry_job, run_schedule};
pub use min_revision::{current_min_revision, with_min_revision};
pub use precondition::Precondition;
pub use profiles::Profiles;
pub use replays::{Replay, ReplaySettings, ReplayTarget, ReplayedResponse, Replays};
pub use revisions::Revisions;
pub use search::{Search, SearchResult};
pub use sessions::Sessions;
pub use usage::{Usage, retained_since};
pub use users::{AccountChanges, Users};

use crate::{
    auth::{AccessTokens, Hasher, RefreshTokens, TokenStatusCache},
    db::{BatchableWork, Db, DbConnection, repositories::users::increment_revision},
    domain::{Clock, DeprecatedOperation, PasswordPolicy, Random, RateLimiter, UserId},
    redis::{CacheVersions, Delivery, Invalidation},
    traces::Tracer,
};
use idempotency::{KeyedRequest, Replayable};

/// The dependencies of all services.
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
    /// `None` if no other server caches what this one changes.
    pub cache_versions: Option<CacheVersions>,
    /// `None` if rate limits are disabled.
    pub limits: Option<Arc<dyn RateLimiter>>,
    pub outbox: Outbox,
    /// `None` if traces are not exported.
    pub tracer: Option<Tracer>,
    /// Whether administrators may record profiles.
    pub is_profiling_enabled: bool,
    /// Whether users get mail about their account and its logins.
    pub account_notices: bool,
}

/// Wakes the workers of this server after the commit of a job, so that they do not wait for their next poll.
pub struct Outbox(watch::Sender<()>);

impl Default for Outbox {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Outbox {
    /// Wakes the workers of this server.
    pub fn notify(&self) {
        self.0.send_replace(());
    }

    /// Returns a receiver that changes with each call of [`Self::notify`] from now on.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
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
    pub imports: Imports,
    pub audit: Audit,
    pub incidents: Incidents,
    pub api_clients: ApiClients,
    pub usage: Usage,
    pub deprecations: Deprecations,
    pub jobs: Jobs,
    pub profiles: Profiles,
    pub replays: Replays,
}

impl Services {
    /// Creates all services. Exports are retained for `export_ttl`, usage counters for `usage_retention`.
    #[must_use]
    pub fn new(
        context: &Arc<Context>,
        retention: RetentionPolicy,
        replays: ReplaySettings,
        export_ttl: Duration,
        usage_retention: Duration,
        deprecated: &Arc<[DeprecatedOperation]>,
    ) -> Self {
        let incidents = Incidents { context: Arc::clone(context), retention: Arc::new(retention) };
        Self {
            accounts: Accounts(Arc::clone(context)),
            users: Users(Arc::clone(context)),
            sessions: Sessions(Arc::clone(context)),
            bucketlists: Bucketlists(Arc::clone(context)),
            items: Items(Arc::clone(context)),
            search: Search(Arc::clone(context)),
            exports: Exports { context: Arc::clone(context), ttl: export_ttl },
            imports: Imports(Arc::clone(context)),
            api_clients: ApiClients(Arc::clone(context)),
            jobs: Jobs(Arc::clone(context)),
            audit: Audit(Arc::clone(context)),
            replays: Replays::new(incidents.clone(), replays),
            incidents,
            usage: Usage {
                context: Arc::clone(context),
                retention: usage_retention,
                deprecated: Arc::clone(deprecated),
            },
            deprecations: Deprecations { context: Arc::clone(context), deprecated: Arc::clone(deprecated) },
            profiles: Profiles { context: Arc::clone(context), is_enabled: context.is_profiling_enabled },
        }
    }
}

impl Context {
    /// Prepares the invalidation of a change to the servers that may have cached an account.
    fn invalidate(&self) -> (Invalidation, Delivery) {
        self.cache_versions.as_ref().map_or_else(CacheVersions::invalidate_nothing, CacheVersions::invalidate)
    }

    /// Runs a unit of work that changes the status of tokens of `account`. Invalidates cached statuses before it returns.
    async fn write_token_status<T: Send + 'static>(
        &self,
        account: UserId,
        work: impl FnMut(&mut DbConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_token_status_of(work, move |_| Some(account)).await
    }

    /// Like [`Self::write_token_status`], for work that finds the account; `None` if it has changed nothing.
    async fn write_token_status_of<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut DbConnection) -> Result<T, Error> + Send + 'static,
        account: impl FnOnce(&T) -> Option<UserId> + Send + 'static,
    ) -> Result<T, Error> {
        let (token_status, closure) = (self.token_status.clone(), type_name_of_val(&work));
        let (invalidation, delivery) = self.invalidate();
        // Runs after the commit even if the client has disconnected: tokens of an ended session must not remain valid.
        let after_commit = move |result: &T| {
            if let Some(account) = account(result) {
                token_status.invalidate();
                invalidation.committed(account);
            }
        };
        let result = self.db.write_then_as(closure, work, after_commit).await?;
        delivery.wait().await;
        Ok(result)
    }

    /// Runs a unit of work that reads resources of `owner` with one statement, on a replica if the request allows it. All changes of such
    /// resources must increment the revision of `owner`.
    async fn read_resources<T: Send + 'static>(
        &self,
        owner: UserId,
        work: impl FnMut(&mut DbConnection) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Result<T, Error> {
        self.db.read_since(min_revision::min_revision_of(owner), work).await
    }

    /// Like [`Self::read_resources`], but PostgreSQL can do the work together with that of other requests. The traced unit has the name of a
    /// function.
    async fn retrieve_resource<B: BatchableWork + Clone>(
        &self,
        owner: UserId,
        function: &'static str,
        work: B,
    ) -> Result<B::Output, Error> {
        Ok(self.db.read_batchable_since_as(min_revision::min_revision_of(owner), function, work).await?)
    }

    /// Like [`Self::read_resources`], but with several statements, which read the same state.
    async fn snapshot_resources<T: Send + 'static>(
        &self,
        owner: UserId,
        work: impl FnMut(&mut DbConnection) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Result<T, Error> {
        self.db.snapshot_since(min_revision::min_revision_of(owner), work).await
    }

    /// Runs a unit of work that changes resources of `owner`. Invalidates cached responses before it returns.
    async fn write_resources<T: Send + 'static>(
        &self,
        owner: UserId,
        mut work: impl FnMut(&mut DbConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let closure = type_name_of_val(&work);
        let work = move |c: &mut DbConnection| {
            // The account first: the deletion of an account locks in that order.
            increment_revision(c, owner)?;
            work(c)
        };
        let (after_commit, delivery) = self.after_change(owner);
        let result = self.db.write_account_then_as(owner, closure, work, after_commit).await?;
        delivery.wait().await;
        Ok(result)
    }

    /// Returns what to do after the commit of a change to resources of `owner`, and the delivery to wait for before the response.
    fn after_change<T>(&self, owner: UserId) -> (impl FnOnce(&T) + Send + use<T>, Delivery) {
        let revisions = self.revisions.clone();
        let (invalidation, delivery) = self.invalidate();
        let after_commit = move |_: &T| {
            revisions.increment(owner);
            invalidation.committed(owner);
        };
        (after_commit, delivery)
    }

    /// Like [`Self::write_resources`], but for a request that creates a resource and may have an idempotency key.
    async fn create_once<T: Replayable>(
        &self,
        owner: UserId,
        request: Option<KeyedRequest>,
        work: impl Fn(&mut DbConnection) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Result<Idempotent<T>, Error> {
        let (now, closure) = (self.clock.now(), type_name_of_val(&work));
        idempotency::retry_while_in_flight(|| async {
            let (request, work) = (request.clone(), work.clone());
            let create = move |c: &mut DbConnection| {
                idempotency::create_once(c, request.as_ref(), now, |c| {
                    increment_revision(c, owner)?;
                    work(c)
                })
            };
            let (after_commit, delivery) = self.after_change(owner);
            let created = self.db.write_account_then_as(owner, closure, create, after_commit).await?;
            delivery.wait().await;
            Ok(created)
        })
        .await
    }

    /// Like [`Self::create_once`], for a change that increments the revision of `owner` itself and is a single statement on PostgreSQL. Without
    /// an idempotency key, it can share the statement with other requests. Returns the error of `missing` if nothing was created.
    async fn create_resource_once<T: Replayable, C: BatchableWork<Output = Option<T>> + Clone + Sync>(
        &self,
        owner: UserId,
        request: Option<KeyedRequest>,
        change: C,
        missing: impl Fn() -> Error + Copy + Send + 'static,
    ) -> Result<Idempotent<T>, Error> {
        let (now, closure) = (self.clock.now(), type_name_of_val(&missing));
        let Some(request) = request else {
            let (after_commit, delivery) = self.after_change(owner);
            let created: Result<_, Error> = self.db.write_batchable_then_as(owner, closure, change, after_commit).await;
            let value = created?.ok_or_else(missing)?;
            delivery.wait().await;
            return Ok(Idempotent { value, replayed: false });
        };
        idempotency::retry_while_in_flight(|| async {
            let (request, change) = (request.clone(), change.clone());
            let create = move |c: &mut DbConnection| {
                idempotency::create_once(c, Some(&request), now, |c| change.run(c)?.ok_or_else(missing))
            };
            let (after_commit, delivery) = self.after_change(owner);
            let created = self.db.write_account_then_as(owner, closure, create, after_commit).await?;
            delivery.wait().await;
            Ok(created)
        })
        .await
    }
}
