//! Settings of progenitor, the generator of the Rust clients.
//!
//! Builders: a parameter that is added to an operation later breaks no call.
//! An enumeration that answers have is text, so that a value of tomorrow is no error: progenitor's own enumerations refuse
//! what they do not know.

pub mod v1 {
    progenitor::generate_api!(
        spec = "../../../openapi/v1.json",
        interface = Builder,
        replace = {
            ErrorCode = ::std::string::String,
            Role = ::std::string::String,
            TokenType = ::std::string::String,
        },
    );
}

/// From `bucketlist openapi print --contract v2 --json-only`: progenitor knows one media type, `application/json`. What it
/// cannot know is said by the hook: a patch is a merge patch.
pub mod v2 {
    progenitor::generate_api!(
        spec = "../../../target/clients/rust/v2.json",
        interface = Builder,
        pre_hook = crate::say_merge_patch,
        replace = {
            ErrorCode = ::std::string::String,
            HitType = ::std::string::String,
            Role = ::std::string::String,
            TokenType = ::std::string::String,
        },
    );
}
