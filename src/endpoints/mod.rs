//! The endpoints: they implement the contract's traits, translate, and decide nothing.

mod authenticator;
mod error;
pub mod v1;
pub mod v2;

use contract::v1::schemas::Password;
use secrecy::SecretString;

pub use authenticator::{Authenticator, Proven, Verified};

/// A secret that was sent, on its way to a service.
fn secret(password: &Password) -> SecretString {
    password.expose().to_owned().into()
}
