//! Settings of progenitor, the generator of the Rust clients.
//!
//! Builders, so that a new parameter of an operation breaks no call. Enums of responses are replaced by `String`, because
//! generated enums reject unknown values.

/// Generated from `bucketlist openapi print --contract v1 --json-only`: see `v2`.
pub mod v1 {
    progenitor::generate_api!(
        spec = "../../../target/clients/rust/v1.json",
        interface = Builder,
        replace = {
            ErrorCode = ::std::string::String,
            Role = ::std::string::String,
            TokenType = ::std::string::String,
        },
    );
}

/// Generated from `bucketlist openapi print --contract v2 --json-only`, because progenitor supports only `application/json`. The hook sets the
/// media type of merge patches.
pub mod v2 {
    progenitor::generate_api!(
        spec = "../../../target/clients/rust/v2.json",
        interface = Builder,
        pre_hook = crate::say_merge_patch,
        replace = {
            ErrorCode = ::std::string::String,
            ResourceType = ::std::string::String,
            Role = ::std::string::String,
            TokenType = ::std::string::String,
        },
    );
}
