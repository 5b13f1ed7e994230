//! The properties of a variable.

/// An environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    pub name: &'static str,
    /// The value if the variable is not set; empty for none.
    pub default: &'static str,
    /// Description of the setting, and of an empty value.
    pub description: &'static str,
    /// The accepted values, with their unit.
    pub values: &'static str,
    /// A value that differs from the default; empty if the accepted values are a list.
    pub example: &'static str,
    /// Whether the value must never be displayed.
    pub secret: bool,
    /// Whether a running server applies a changed value on SIGHUP.
    pub is_reloaded: bool,
}

impl Variable {
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
    Variable { name, default, description, values, example, secret: false, is_reloaded: false }
}

pub(super) const fn secret(
    name: &'static str,
    description: &'static str,
    values: &'static str,
    example: &'static str,
) -> Variable {
    Variable { name, default: "", description, values, example, secret: true, is_reloaded: false }
}
