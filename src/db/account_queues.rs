//! Queues of write units by account, on PostgreSQL.
//!
//! A unit that changes resources of an account locks the row of the account until its commit is durable. Several threads that run units of
//! one account would only wait for each other. One thread at a time therefore runs the units of an account, and the others wait here. Units
//! that can share a statement do so, also with those of other accounts.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Mutex, PoisonError},
};

use super::unit::Unit;

/// Maximum number of units of an account in a batch, so that no account fills it while others wait.
const MAX_OF_ACCOUNT: usize = 16;

/// The waiting units of each account whose units are in the queue of the threads or run.
#[derive(Default)]
pub(super) struct AccountQueues(Mutex<HashMap<i64, VecDeque<Box<dyn Unit>>>>);

impl AccountQueues {
    /// Returns the unit if it is the first one of its account, or has none: it must be sent to the threads. Otherwise, the unit waits here.
    pub(super) fn add(&self, unit: Box<dyn Unit>) -> Option<Box<dyn Unit>> {
        let Some(account) = unit.account() else { return Some(unit) };
        self.with(|accounts| match accounts.entry(account) {
            Entry::Vacant(entry) => {
                entry.insert(VecDeque::new());
                Some(unit)
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().push_back(unit);
                None
            }
        })
    }

    /// Completes a batch, which has one unit of each of its accounts, with the units of the same kind that wait behind them.
    pub(super) fn complete(&self, batch: &mut Vec<Box<dyn Unit>>, max: usize) {
        self.with(|accounts| {
            for index in 0..batch.len() {
                let kind = batch[index].batch_kind();
                let Some(waiting) = batch[index].account().and_then(|account| accounts.get_mut(&account)) else {
                    continue;
                };
                let mut of_account = 1;
                while of_account < MAX_OF_ACCOUNT
                    && batch.len() < max
                    && let Some(unit) = waiting.pop_front_if(|unit| unit.batch_kind() == kind)
                {
                    batch.push(unit);
                    of_account += 1;
                }
            }
        });
    }

    /// Returns units to the front of the queues of their accounts, whose units must be running.
    pub(super) fn return_units(&self, units: Vec<Box<dyn Unit>>) {
        self.with(|accounts| {
            for unit in units.into_iter().rev() {
                if let Some(account) = unit.account() {
                    accounts.entry(account).or_default().push_front(unit);
                }
            }
        });
    }

    /// Called after the units of an account have run. Returns the next one, which must be sent to the threads.
    pub(super) fn next(&self, account: i64) -> Option<Box<dyn Unit>> {
        self.with(|accounts| {
            let next = accounts.get_mut(&account)?.pop_front();
            if next.is_none() {
                accounts.remove(&account);
            }
            next
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<i64, VecDeque<Box<dyn Unit>>>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::{any::TypeId, sync::Arc};

    use super::*;
    use crate::db::{DbError, connection::PooledConnection, unit::Expire};

    /// A unit of an account, which can share a statement unless it has no number.
    struct TestUnit {
        account: i64,
        number: Option<usize>,
    }

    struct NoCall;

    impl Expire for NoCall {
        fn expire(&self, _: std::time::Duration) {}
    }

    impl Unit for TestUnit {
        fn is_overdue(&self) -> bool {
            false
        }

        fn start(&mut self) -> bool {
            true
        }

        fn run(&mut self, _: &mut PooledConnection) -> bool {
            true
        }

        fn finish(self: Box<Self>, _: Result<(), DbError>) {}

        fn call(&self) -> Arc<dyn Expire> {
            Arc::new(NoCall)
        }

        fn account(&self) -> Option<i64> {
            Some(self.account)
        }

        fn batch_kind(&self) -> Option<TypeId> {
            self.number.map(|_| TypeId::of::<Self>())
        }
    }

    fn unit(account: i64, number: impl Into<Option<usize>>) -> Box<dyn Unit> {
        Box::new(TestUnit { account, number: number.into() })
    }

    /// Returns the account and the number of units.
    fn describe(units: &[Box<dyn Unit>]) -> Vec<(i64, Option<usize>)> {
        units
            .iter()
            .map(|unit| (&**unit as &dyn std::any::Any).downcast_ref::<TestUnit>().unwrap())
            .map(|unit| (unit.account, unit.number))
            .collect()
    }

    #[test]
    fn batch_is_completed_with_the_units_behind_it() {
        let queues = AccountQueues::default();
        let mut batch: Vec<_> = [1, 2, 3].into_iter().filter_map(|account| queues.add(unit(account, 0))).collect();
        assert_eq!(batch.len(), 3);
        // Account 1 has more units than a batch accepts of an account; behind the first unit of account 2 is one that runs alone.
        for number in 1..20 {
            assert!(queues.add(unit(1, number)).is_none());
        }
        assert!(queues.add(unit(2, None)).is_none() && queues.add(unit(2, 1)).is_none());
        assert!(queues.add(unit(3, 1)).is_none());
        queues.complete(&mut batch, 64);
        let of_account = |account| describe(&batch).into_iter().filter(|(other, _)| *other == account).count();
        assert_eq!([of_account(1), of_account(2), of_account(3)], [MAX_OF_ACCOUNT, 1, 2]);
        let next: Vec<_> = [1, 2, 3].into_iter().filter_map(|account| queues.next(account)).collect();
        assert_eq!(describe(&next), [(1, Some(MAX_OF_ACCOUNT)), (2, None)]);
    }

    #[test]
    fn batch_has_a_maximum_size() {
        let queues = AccountQueues::default();
        let mut batch = vec![queues.add(unit(1, 0)).unwrap()];
        for number in 1..5 {
            assert!(queues.add(unit(1, number)).is_none());
        }
        queues.complete(&mut batch, 3);
        assert_eq!(describe(&batch), [(1, Some(0)), (1, Some(1)), (1, Some(2))]);
    }

    #[test]
    fn returned_units_run_before_those_that_wait() {
        let queues = AccountQueues::default();
        let mut batch = vec![queues.add(unit(1, 0)).unwrap()];
        for number in 1..4 {
            assert!(queues.add(unit(1, number)).is_none());
        }
        queues.complete(&mut batch, 3);
        queues.return_units(batch);
        let order: Vec<_> = std::iter::from_fn(|| queues.next(1)).collect();
        assert_eq!(describe(&order), [(1, Some(0)), (1, Some(1)), (1, Some(2)), (1, Some(3))]);
        assert!(queues.add(unit(1, 9)).is_some(), "the account has no units any more");
    }
}
