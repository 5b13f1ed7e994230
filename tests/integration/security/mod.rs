//! Security tests. They are generated from the OpenAPI documents where possible, so that new operations are covered
//! automatically.

mod access_control;
mod account_enumeration;
mod attacks;
mod injection;
mod mass_assignment;
mod operations;
mod privileges;
mod resource_limits;
mod secrets;
pub mod snapshot;
mod tokens;
