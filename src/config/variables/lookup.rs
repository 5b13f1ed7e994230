//! Finds a variable by its name.

use super::{ALL, Variable};

/// Returns the variable with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Variable> {
    ALL.iter().find(|variable| variable.name == name)
}
