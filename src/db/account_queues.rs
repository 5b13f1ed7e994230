//! Queues of write units by account, on PostgreSQL.
//!
//! A unit that changes resources of an account locks the row of the account until its commit is durable. Several threads that run units of
//! one account would only wait for each other. One thread at a time therefore runs the units of an account, and the others wait here. Those that
//! are single statements then share a transaction and its sync.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Mutex, PoisonError},
};

use super::unit::Unit;

/// Maximum number of units that share a transaction: enough to share a sync, few enough that other accounts do not wait long.
pub(super) const MAX_SHARED: usize = 16;

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

    /// Returns the units that share a transaction with `first`, which comes first.
    pub(super) fn join(&self, account: i64, first: Box<dyn Unit>) -> Vec<Box<dyn Unit>> {
        if !first.is_autocommit() {
            return vec![first];
        }
        let mut units = vec![first];
        self.with(|accounts| {
            let Some(waiting) = accounts.get_mut(&account) else { return };
            while units.len() < MAX_SHARED && waiting.front().is_some_and(|unit| unit.is_autocommit()) {
                units.extend(waiting.pop_front());
            }
        });
        units
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
