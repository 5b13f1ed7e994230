//! Tests of the queue.

use std::{
    any::TypeId,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use super::*;
use crate::db::{DbError, connection::PooledConnection, unit::Expire};

const LONG: Duration = Duration::from_secs(60);

/// A unit that sends its name when it is finished.
struct NamedUnit(&'static str, mpsc::Sender<&'static str>);

/// A unit that can share a statement with others of its type.
struct BatchableUnit<const NAME: char>;

impl<const NAME: char> Unit for BatchableUnit<NAME> {
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
        Arc::new(())
    }

    fn batch_kind(&self) -> Option<TypeId> {
        Some(TypeId::of::<Self>())
    }
}

impl Expire for () {
    fn expire(&self, _: Duration) {}
}

impl Unit for NamedUnit {
    fn is_overdue(&self) -> bool {
        false
    }

    fn start(&mut self) -> bool {
        true
    }

    fn run(&mut self, _: &mut PooledConnection) -> bool {
        true
    }

    fn finish(self: Box<Self>, _: Result<(), DbError>) {
        self.1.send(self.0).unwrap();
    }

    fn call(&self) -> Arc<dyn Expire> {
        Arc::new(())
    }
}

/// Takes the next unit; returns its name, or how the wait ended.
fn take(units: &UnitQueue, role: Role, names: &mpsc::Receiver<&'static str>) -> &'static str {
    match units.next(role, &Arc::default(), Duration::ZERO, || false) {
        Next::Unit(_, unit) => {
            unit.finish(Ok(()));
            names.recv().unwrap()
        }
        Next::Batch(..) => "batch",
        Next::None => "none",
        Next::Closed => "closed",
    }
}

fn wait_for_idle(units: &UnitQueue, count: usize) {
    while units.lock().idle.len() < count {
        thread::yield_now();
    }
}

#[test]
fn thread_takes_the_oldest_unit_that_it_runs() {
    let (units, (sender, names)) = (UnitQueue::default(), mpsc::channel());
    let unit = |name| Box::new(NamedUnit(name, sender.clone()));
    for (queue, name) in [(Queue::Writes, "1"), (Queue::Reads, "2"), (Queue::Reads, "3"), (Queue::Writes, "4")] {
        assert!(units.push(queue, unit(name)));
    }
    assert_eq!(take(&units, Role::Reads, &names), "2");
    assert_eq!(take(&units, Role::All, &names), "1");
    assert_eq!(take(&units, Role::All, &names), "3");
    assert_eq!(take(&units, Role::Reads, &names), "none");
    assert_eq!(take(&units, Role::Writes, &names), "4");
    assert_eq!(take(&units, Role::All, &names), "none");
}

/// Takes a batch; returns its size.
fn take_batch(units: &UnitQueue, role: Role) -> Option<usize> {
    match units.next(role, &Arc::default(), Duration::ZERO, || false) {
        Next::Batch(_, batch) => Some(batch.len()),
        Next::Unit(..) | Next::None | Next::Closed => None,
    }
}

#[test]
fn units_of_the_same_kind_are_taken_together() {
    let units = UnitQueue::default();
    for _ in 0..MAX_BATCH + 3 {
        units.push(Queue::Writes, Box::new(BatchableUnit::<'a'>));
    }
    units.push(Queue::Writes, Box::new(BatchableUnit::<'b'>));
    assert_eq!(take_batch(&units, Role::Reads), None);
    assert_eq!(take_batch(&units, Role::All), Some(MAX_BATCH));
    units.end_batch(Queue::Writes);
    assert_eq!(take_batch(&units, Role::Writes), Some(3));
    units.end_batch(Queue::Writes);
    assert_eq!(take_batch(&units, Role::Writes), Some(1));
}

#[test]
fn units_wait_for_the_end_of_a_batch_but_do_not_delay_others() {
    let (units, (sender, names)) = (UnitQueue::default(), mpsc::channel());
    for _ in 0..MAX_BATCHES {
        units.push(Queue::Writes, Box::new(BatchableUnit::<'a'>));
        assert_eq!(take_batch(&units, Role::All), Some(1));
    }
    units.push(Queue::Writes, Box::new(BatchableUnit::<'a'>));
    units.push(Queue::Writes, Box::new(NamedUnit("write", sender)));
    assert_eq!(take(&units, Role::All, &names), "write");
    assert_eq!(take_batch(&units, Role::All), None);
    units.push(Queue::Writes, Box::new(BatchableUnit::<'a'>));
    units.end_batch_before_next(Queue::Writes);
    assert_eq!(take_batch(&units, Role::All), Some(2));
}

#[test]
fn end_of_a_batch_wakes_a_thread_for_the_next_one() {
    let units = UnitQueue::default();
    for _ in 0..MAX_BATCHES {
        units.push(Queue::Writes, Box::new(BatchableUnit::<'a'>));
        assert_eq!(take_batch(&units, Role::All), Some(1));
    }
    units.push(Queue::Writes, Box::new(BatchableUnit::<'a'>));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| units.next(Role::All, &Arc::default(), LONG, || false));
        wait_for_idle(&units, 1);
        units.end_batch(Queue::Writes);
        assert!(matches!(waiting.join().unwrap(), Next::Batch(..)));
    });
}

#[test]
fn closed_queue_accepts_no_unit_and_ends_when_it_is_empty() {
    let (units, (sender, names)) = (UnitQueue::default(), mpsc::channel());
    let unit = |name| Box::new(NamedUnit(name, sender.clone()));
    assert!(units.push(Queue::Writes, unit("accepted")));
    units.close();
    assert!(!units.push(Queue::Writes, unit("rejected")));
    units.push_before_next(Queue::Writes, unit("next of its account"));
    assert_eq!(take(&units, Role::Reads, &names), "closed");
    assert_eq!(take(&units, Role::Writes, &names), "accepted");
    assert_eq!(take(&units, Role::Writes, &names), "next of its account");
    assert_eq!(take(&units, Role::Writes, &names), "closed");
}

#[test]
fn unit_wakes_the_thread_that_became_idle_last() {
    let (units, (sender, names)) = (UnitQueue::default(), mpsc::channel());
    let wait = |role| matches!(units.next(role, &Arc::default(), LONG, || false), Next::Unit(..));
    thread::scope(|scope| {
        let first = scope.spawn(|| wait(Role::All));
        wait_for_idle(&units, 1);
        let last = scope.spawn(|| wait(Role::All));
        wait_for_idle(&units, 2);
        let writer = scope.spawn(|| wait(Role::Writes));
        wait_for_idle(&units, 3);
        assert!(units.push(Queue::Reads, Box::new(NamedUnit("read", sender.clone()))));
        assert!(last.join().unwrap());
        assert!(!first.is_finished() && !writer.is_finished());
        units.close();
        assert!(!first.join().unwrap() && !writer.join().unwrap());
    });
    drop(names);
}

#[test]
fn units_of_both_kinds_wake_a_thread_each() {
    let (units, (sender, _names)) = (UnitQueue::default(), mpsc::channel());
    let wait = |role| matches!(units.next(role, &Arc::default(), LONG, || false), Next::Unit(..));
    thread::scope(|scope| {
        let waiting = [Role::Reads, Role::Writes].map(|role| scope.spawn(move || wait(role)));
        wait_for_idle(&units, 2);
        for queue in [Queue::Reads, Queue::Writes] {
            assert!(units.push(queue, Box::new(NamedUnit("unit", sender.clone()))));
        }
        for thread in waiting {
            assert!(thread.join().unwrap());
        }
    });
}

#[test]
fn waiting_thread_closes_its_connection_when_all_threads_are_woken() {
    let (units, must_close) = (UnitQueue::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        let waiting =
            scope.spawn(|| units.next(Role::All, &Arc::default(), LONG, || must_close.load(Ordering::SeqCst)));
        wait_for_idle(&units, 1);
        must_close.store(true, Ordering::SeqCst);
        units.wake_all();
        assert!(matches!(waiting.join().unwrap(), Next::None));
    });
}
