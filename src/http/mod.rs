//! What every request passes through, whatever it asks for; and the routes outside the versions.
//!
//! [`Pipeline`] is the outermost endpoint: it names the request, finds its operation in the document, holds it to the limits,
//! hands it on, turns whatever comes back (an answer, an error, a panic, a timeout) into the version's shape, and logs it.

mod access_log;
mod cache;
mod client_address;
mod compression;
mod conditions;
mod cors;
mod deprecation;
mod drift;
mod errors;
mod facts;
mod fault;
mod headers;
mod limits;
mod observed;
pub mod pages;
mod redirect;
mod refusal;
mod request_id;
mod security_txt;
mod stack;
mod startup;
mod system;
mod versions;

pub use cache::{CacheCounts, ResponseCache};
pub(crate) use cors::Cors;
pub use drift::{DriftKind, ResponseValidator, ValidationCounts};
pub use limits::RateLimits;
pub use redirect::HttpsRedirect;
pub use refusal::connection_error_responses;
pub use stack::Pipeline;
pub use startup::StartupGate;
pub use system::{Readiness, UnversionedRoutes};
