//! Decisions and transactions, in the words of the domain: no HTTP, no SQL.

mod accounts;
mod bucketlists;
mod error;
mod items;
mod search;
mod users;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

pub use accounts::{Accounts, NewAccount, Session};
pub use bucketlists::{BucketlistContent, Bucketlists};
pub use error::{Conflict, Error, Field, Forbidden, Missing, Unauthenticated, codes};
pub use items::{ItemContent, Items};
pub use search::{Found, Search};
pub use users::{AccountChanges, Users};

use crate::{
    auth::{AccessTokens, Hasher, RefreshTokens, Standings},
    db::{Db, repositories::Slice},
    domain::{Clock, PasswordPolicy, Random},
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
    pub standings: Standings,
    /// Rung after a commit that put a job into the outbox.
    pub outbox: Arc<Notify>,
}

/// The services, sharing one context.
#[derive(Clone)]
pub struct Services {
    pub accounts: Accounts,
    pub users: Users,
    pub bucketlists: Bucketlists,
    pub items: Items,
    pub search: Search,
}

impl Services {
    /// All of them.
    #[must_use]
    pub fn new(context: &Arc<Context>) -> Self {
        Self {
            accounts: Accounts(Arc::clone(context)),
            users: Users(Arc::clone(context)),
            bucketlists: Bucketlists(Arc::clone(context)),
            items: Items(Arc::clone(context)),
            search: Search(Arc::clone(context)),
        }
    }
}

/// A page of a list: which one, how large, and what to search for.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// From 1.
    pub page: i64,
    /// From 1; at most 100 count.
    pub per_page: i64,
    /// Only rows that contain this.
    pub q: Option<String>,
}

/// How many rows a page has at most.
pub const MAX_PER_PAGE: i64 = 100;

impl PageRequest {
    /// How many rows the page has at most.
    #[must_use]
    pub fn per_page(&self) -> i64 {
        self.per_page.clamp(1, MAX_PER_PAGE)
    }

    fn slice(&self) -> Slice {
        let limit = self.per_page();
        Slice { offset: (self.page.max(1) - 1).saturating_mul(limit), limit }
    }

    /// The pattern for the repositories; a blank `q` searches nothing.
    fn pattern(&self) -> Option<String> {
        self.q.as_deref().filter(|q| !q.trim().is_empty()).map(crate::domain::like_pattern)
    }
}
