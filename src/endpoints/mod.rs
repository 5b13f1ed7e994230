//! The endpoints: they implement the contract's traits, translate, and decide nothing.

mod error;
pub mod v1;
