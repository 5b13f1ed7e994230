//! Offset pages: rows, totals, and the links to walk them.

use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::{Bucketlist, Item, User};
use crate::values::Nullable;

/// Where a page stands in its list.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PageMeta {
    /// The number of this page, from 1.
    #[oai(validator(minimum(value = "1")))]
    pub page: i64,
    /// How many rows a page has at most.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    pub per_page: i64,
    /// How many rows there are in all.
    #[oai(validator(minimum(value = "0")))]
    pub total: i64,
    /// How many pages there are in all.
    #[oai(validator(minimum(value = "0")))]
    pub pages: i64,
}

impl Example for PageMeta {
    fn example() -> Self {
        Self { page: 1, per_page: 20, total: 1, pages: 1 }
    }
}

/// Where to go from a page: paths on this server.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PageLinks {
    /// This page.
    #[oai(rename = "self", validator(max_length = 8192))]
    #[serde(rename = "self")]
    pub this: String,
    /// The first page.
    #[oai(validator(max_length = 8192))]
    pub first: String,
    /// The page before, if there is one.
    #[oai(validator(max_length = 8192))]
    pub prev: Nullable<String>,
    /// The page after, if there is one.
    #[oai(validator(max_length = 8192))]
    pub next: Nullable<String>,
    /// The last page.
    #[oai(validator(max_length = 8192))]
    pub last: String,
}

impl PageLinks {
    fn example_of(path: &str) -> Self {
        let page = |number: u8| format!("{path}?page={number}&per_page=20");
        Self { this: page(1), first: page(1), prev: Nullable(None), next: Nullable(None), last: page(1) }
    }
}

impl Example for PageLinks {
    fn example() -> Self {
        Self::example_of("/v1/bucketlists")
    }
}

macro_rules! page {
    ($(#[$doc:meta])* $name:ident of $row:ident at $path:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Object, Serialize)]
        #[oai(example)]
        pub struct $name {
            /// The rows of this page.
            #[oai(validator(max_items = 100))]
            pub data: Vec<$row>,
            /// Where the page stands in its list.
            pub meta: PageMeta,
            /// Where to go from here.
            pub links: PageLinks,
        }

        impl Example for $name {
            fn example() -> Self {
                Self { data: vec![$row::example()], meta: PageMeta::example(), links: PageLinks::example_of($path) }
            }
        }
    };
}

page! {
    /// One page of your bucketlists, the oldest first.
    BucketlistPage of Bucketlist at "/v1/bucketlists"
}
page! {
    /// One page of a bucketlist's items, the oldest first.
    ItemPage of Item at "/v1/bucketlists/1/items"
}
page! {
    /// One page of the users, the oldest first.
    UserPage of User at "/v1/users"
}
