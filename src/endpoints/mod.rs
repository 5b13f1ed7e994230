//! Implementations of the contract's endpoint traits: they translate between its schemas and the services.

mod deprecations;
mod error;
mod rules;
mod time_limit;
pub mod v1;
pub mod v2;

use contract::{
    caller::{ClientInfo, RequestOrigin},
    v1::schemas::Secret,
};
use secrecy::SecretString;

pub use deprecations::deprecated_operations;
pub use rules::RequestRules;
pub use time_limit::longest_time_limit;

use crate::domain::{ApiClientId, AuditOrigin, UserId};

/// Converts a password or token of a request for a service.
fn secret(secret: &Secret) -> SecretString {
    secret.expose().to_owned().into()
}

/// Returns the caller and the origin of a request, for audit events.
fn audit_origin(client: ClientInfo, actor: Option<UserId>) -> AuditOrigin {
    let is_replay = client.is_replay;
    let RequestOrigin { request_id, address, api_client_id } = client.origin;
    AuditOrigin { actor, request_id, address, api_client: api_client_id.map(ApiClientId::new), is_replay }
}
