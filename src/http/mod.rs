//! HTTP: the request pipeline, the API versions, the unversioned routes and the pages.

mod base_path;
mod client_address;
mod connection_errors;
mod page_template;
pub mod pages;
mod pipeline;
mod precompressed;
mod published;
mod redirect;
mod replays;
mod security_txt;
mod startup;
mod static_file;
mod unversioned;
mod unversioned_response;
mod versions;

pub use connection_errors::connection_error_responses;
pub use pages::{ListedDeprecation, MailPreview};
pub(crate) use pipeline::Cors;
pub use pipeline::{
    Authenticator, CacheCounts, Pipeline, RateLimits, ResponseCache, ResponseValidator, ResponseViolationKind,
    ValidationCounts,
};
pub use redirect::HttpsRedirect;
pub use replays::ReplayRecognition;
pub use startup::StartupGate;
pub use unversioned::{PublishedFiles, Readiness, UnversionedRoutes};
