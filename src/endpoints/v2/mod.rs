//! The endpoints of v2.

pub mod tables;
