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
