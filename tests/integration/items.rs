//! items.
