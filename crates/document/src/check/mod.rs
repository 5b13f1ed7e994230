//! Checking traffic against a finished document.
//!
//! Owns the compiled form of a document. Must not know how it was made, nor how a violation is told to a client.

mod body;
mod compiled;
mod contract;
mod draft4;
mod drift;
mod explain;
mod operation;
mod parameter;
mod query;
mod response;
mod rows;
mod secrecy;
mod violation;

#[cfg(test)]
mod body_tests;
#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod parameter_tests;

pub use body::{BodyError, BodySchema};
pub(crate) use compiled::{Compiled, Definitions, options};
pub(crate) use contract::base;
pub use contract::{CompileError, CompiledDocument, PathItem, PathMatch};
pub(crate) use draft4::{integer_bounds, translate};
pub use drift::ResponseViolation;
pub use operation::Operation;
pub(crate) use operation::is_secured;
pub use secrecy::{PathSegment, Sensitivity};
pub use violation::{Location, MAX_VIOLATIONS, Violation, ViolationCode};
