//! v2 as its clients meet it.

mod access;
mod batch;
mod conditional;
mod documented;
mod examples;
mod merge_patch;
mod negotiation;
mod pages;
mod preconditions;
mod problems;
mod resources;
mod search;
