//! v2 as its clients meet it.

mod conditional;
mod merge_patch;
mod pages;
mod preconditions;
