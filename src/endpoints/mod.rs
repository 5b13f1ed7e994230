//! The endpoints: they implement the contract's traits, translate, and decide nothing.

mod authenticator;
mod error;
mod rules;
pub mod v1;
pub mod v2;

use contract::{caller::Client, v1::schemas::Password};
use secrecy::SecretString;

pub use authenticator::{Authenticator, Proven, Verified, Witness};
pub use rules::PasswordRules;

use crate::domain::{AuditOrigin, UserId};

/// A secret that was sent, on its way to a service.
fn secret(password: &Password) -> SecretString {
    password.expose().to_owned().into()
}

/// Who sent a request, and from where, for the audit trail.
fn audit_origin(client: Client, actor: Option<UserId>) -> AuditOrigin {
    AuditOrigin { actor, request_id: client.arrival.request_id, address: client.arrival.address }
}
