//! Query parameters that v2's lists share.

use std::borrow::Cow;

use poem_openapi::{
    Enum,
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::scalar;

/// Where a list goes on; opaque.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

scalar!(Cursor, MetaSchema { max_length: Some(2000), ..MetaSchema::new("string") });

impl ParseFromParameter for Cursor {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.to_owned()))
    }
}

/// The order of a list: a field, with `-` before it backwards. A pattern and not an enum: generators make the same name of
/// `name` and `-name`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sort(pub String);

scalar!(
    Sort,
    MetaSchema {
        max_length: Some(20),
        pattern: Some("^-?(created_at|updated_at|name)$".to_owned()),
        ..MetaSchema::new("string")
    }
);

impl ParseFromParameter for Sort {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.trim().to_owned()))
    }
}

/// What a list tells besides its rows.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum Include {
    /// How many rows there are in all.
    Total,
}

/// What a bucketlist tells besides itself.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum IncludeItems {
    /// Its first items.
    Items,
}

/// What a list of bucketlists tells besides them.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum IncludeMore {
    /// The first items of each.
    Items,
    /// How many rows there are in all.
    Total,
}
