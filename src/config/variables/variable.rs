//! The properties of a variable.

use std::fmt;

/// An environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    pub name: &'static str,
    /// The value if the variable is not set; empty for none.
    pub default: &'static str,
    /// Description of the setting, and of an empty value.
    pub description: &'static str,
    pub values: Values,
    /// A value that differs from the default; empty if the accepted values are a list.
    pub example: &'static str,
    /// Whether the value must never be displayed.
    pub secret: bool,
    /// Whether a running server applies a changed value on SIGHUP.
    pub is_reloaded: bool,
}

/// The accepted values of a variable.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// A description, with the unit.
    Text(&'static str),
    /// Whole numbers from a minimum to a maximum.
    Integers(u64, u64),
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integers(min, max) => write!(f, "{min} to {max}"),
        }
    }
}

impl Variable {
    /// Returns the minimum and the maximum of an integer; zeros for a variable of another type.
    pub(in crate::config) const fn range(&self) -> (u64, u64) {
        match self.values {
            Values::Integers(min, max) => (min, max),
            Values::Text(_) => (0, 0),
        }
    }

    pub(super) const fn reloaded(self) -> Self {
        Self { is_reloaded: true, ..self }
    }
}

pub(super) const fn variable(
    name: &'static str,
    default: &'static str,
    description: &'static str,
    values: &'static str,
    example: &'static str,
) -> Variable {
    Variable { name, default, description, values: Values::Text(values), example, secret: false, is_reloaded: false }
}

/// Creates a variable whose values are the whole numbers from `range.0` to `range.1`.
pub(super) const fn integer(
    name: &'static str,
    default: &'static str,
    description: &'static str,
    range: (u64, u64),
    example: &'static str,
) -> Variable {
    let values = Values::Integers(range.0, range.1);
    Variable { name, default, description, values, example, secret: false, is_reloaded: false }
}

pub(super) const fn secret(
    name: &'static str,
    description: &'static str,
    values: &'static str,
    example: &'static str,
) -> Variable {
    Variable { name, default: "", description, values: Values::Text(values), example, secret: true, is_reloaded: false }
}
