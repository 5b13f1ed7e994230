//! The minimum revision of the current request: its reads can run on replicas that have replayed this revision of the account.

use std::future::Future;

use tokio::task::futures::TaskLocalFuture;

use crate::{db::MinRevision, domain::UserId};

tokio::task_local! {
    /// Not a parameter of each service: a read without it is still correct, on the primary.
    static CURRENT: Option<MinRevision>;
}

/// Runs a request, or a part of it, that writes nothing which it reads afterwards.
///
/// Not an `async` function: it would reserve space for the future twice.
pub fn with_min_revision<F: Future>(
    min_revision: Option<MinRevision>,
    work: F,
) -> TaskLocalFuture<Option<MinRevision>, F> {
    CURRENT.scope(min_revision, work)
}

/// Returns the minimum revision of the current request; `None` if it must read from the primary.
#[must_use]
pub fn current_min_revision() -> Option<MinRevision> {
    CURRENT.try_with(|min_revision| *min_revision).ok().flatten()
}

/// Returns the minimum revision of the current request for data of `owner`.
pub(super) fn min_revision_of(owner: UserId) -> Option<MinRevision> {
    current_min_revision().filter(|min_revision| min_revision.account() == owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn min_revision_applies_to_its_request_and_account() {
        let min_revision = Some(MinRevision::new(UserId::new(7), 3));
        assert_eq!(current_min_revision(), None);
        let (own, other) = with_min_revision(min_revision, async {
            tokio::task::yield_now().await;
            (min_revision_of(UserId::new(7)), min_revision_of(UserId::new(8)))
        })
        .await;
        assert_eq!((own, other), (min_revision, None));
        assert_eq!(current_min_revision(), None);
    }
}
