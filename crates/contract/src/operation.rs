//! What an endpoint trait declares of an operation beyond poem-openapi's own attributes.

use crate::ErrorCode;

/// The declaration of one operation; built by `#[operation(…)]` on the trait's method.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The operationId.
    pub id: &'static str,
    /// The errors of its own, besides those every operation of its kind can answer with.
    pub errors: &'static [ErrorCode],
    /// The rate limit that applies besides the caller's general one.
    pub limit: Limit,
}

/// A rate limit by name; the numbers are configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Only the caller's general limit.
    #[default]
    General,
    /// Creating accounts, per address.
    Register,
    /// Proving who one is, per account and per address.
    Login,
    /// Asking for a password reset, per account and per address.
    PasswordReset,
}

impl Operation {
    /// An operation with nothing declared.
    #[must_use]
    pub const fn new(id: &'static str) -> Self {
        Self { id, errors: &[], limit: Limit::General }
    }

    /// Declares errors of its own.
    #[must_use]
    pub const fn errors(mut self, errors: &'static [ErrorCode]) -> Self {
        self.errors = errors;
        self
    }

    /// Declares a rate limit of its own.
    #[must_use]
    pub const fn limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }
}
