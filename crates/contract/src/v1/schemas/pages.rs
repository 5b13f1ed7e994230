//! Pages of offset pagination: results, totals and links.

use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::{Bucketlist, Item, User};
use crate::{base_path, values::Nullable};

/// Position of a page in its list.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PageMeta {
    /// Number of this page, starting at 1.
    #[oai(validator(minimum(value = "1")))]
    pub page: i64,
    /// Maximum number of results per page.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    pub per_page: i64,
    /// Total number of results.
    #[oai(validator(minimum(value = "0")))]
    pub total: i64,
    /// Total number of pages.
    #[oai(validator(minimum(value = "0")))]
    pub pages: i64,
}

example! { PageMeta { page: 1, per_page: 20, total: 1, pages: 1 } }

/// Links to other pages, as paths on this server.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PageLinks {
    /// Path of this page.
    #[oai(rename = "self", validator(max_length = 8192))]
    #[serde(rename = "self", serialize_with = "base_path::serialize")]
    pub this: String,
    /// Path of the first page.
    #[oai(validator(max_length = 8192))]
    #[serde(serialize_with = "base_path::serialize")]
    pub first: String,
    /// Path of the previous page; null on the first page.
    #[oai(validator(max_length = 8192))]
    #[serde(serialize_with = "base_path::serialize_nullable")]
    pub prev: Nullable<String>,
    /// Path of the next page; null on the last page.
    #[oai(validator(max_length = 8192))]
    #[serde(serialize_with = "base_path::serialize_nullable")]
    pub next: Nullable<String>,
    /// Path of the last page.
    #[oai(validator(max_length = 8192))]
    #[serde(serialize_with = "base_path::serialize")]
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
            /// The results on this page.
            #[oai(validator(max_items = 100))]
            pub data: Vec<$row>,
            /// Position of the page in its list.
            pub meta: PageMeta,
            /// Links to other pages.
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
    /// A page of bucketlists, oldest first.
    BucketlistPage of Bucketlist at "/v1/bucketlists"
}
page! {
    /// A page of items, oldest first.
    ItemPage of Item at "/v1/bucketlists/1/items"
}
page! {
    /// A page of users, oldest first.
    UserPage of User at "/v1/users"
}
