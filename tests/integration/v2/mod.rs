//! v2 as its clients meet it.

mod merge_patch;
mod pages;
