//! The endpoints: they implement the contract's traits, translate, and decide nothing.

mod authenticator;
mod error;
pub mod v1;
pub mod v2;

pub use authenticator::{Authenticator, Verified};
