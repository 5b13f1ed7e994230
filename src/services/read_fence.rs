//! The read fence of the current request, with which its reads can run on a replica of the database.

use std::future::Future;

use tokio::task::futures::TaskLocalFuture;

use crate::{db::ReadFence, domain::UserId};

tokio::task_local! {
    /// Not a parameter of each service: a read without it is still correct, on the primary.
    static CURRENT: Option<ReadFence>;
}

/// Runs a request, or a part of it, that writes nothing which it reads afterwards.
///
/// Not an `async` function: it would reserve space for the future twice.
pub fn with_read_fence<F: Future>(fence: Option<ReadFence>, work: F) -> TaskLocalFuture<Option<ReadFence>, F> {
    CURRENT.scope(fence, work)
}

/// Returns the fence of the current request; `None` if it must read from the primary.
#[must_use]
pub fn current_read_fence() -> Option<ReadFence> {
    CURRENT.try_with(|fence| *fence).ok().flatten()
}

/// Returns the fence of the current request for data of `owner`.
pub(super) fn read_fence_of(owner: UserId) -> Option<ReadFence> {
    current_read_fence().filter(|fence| fence.account() == owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn fence_applies_to_its_request_and_account() {
        let fence = Some(ReadFence::new(UserId::new(7), 3));
        assert_eq!(current_read_fence(), None);
        let (own, other) = with_read_fence(fence, async {
            tokio::task::yield_now().await;
            (read_fence_of(UserId::new(7)), read_fence_of(UserId::new(8)))
        })
        .await;
        assert_eq!((own, other), (fence, None));
        assert_eq!(current_read_fence(), None);
    }
}
