//! Usage counters: counted in memory while requests are processed, and added to the database every few seconds.
//!
//! A request only increments counters of its thread's shard. The [`UsageWriter`] collects all shards and adds them to the rows of
//! the database with one statement, so that the servers of one database add up. A crash loses the counts of one interval.

mod recorder;
mod user_agents;
mod writer;

pub use recorder::{UsageEvent, UsageRecorder};
pub use writer::{FLUSH_INTERVAL, UsageWriter};
