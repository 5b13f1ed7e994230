//! Searching everything that somebody owns.

use std::sync::Arc;

use super::{Context, Error};
use crate::{
    db::repositories::{
        OffsetRange,
        search::{self, Hit},
    },
    domain::{SearchQuery, snippet},
};

/// Full-text search over bucketlists and items.
#[derive(Clone)]
pub struct Search(pub(super) Arc<Context>);

/// A list or an item that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub hit: Hit,
    /// HTML: about 160 characters of the name, or of the description if no word is in the name, with the matches in
    /// `<mark>…</mark>` and all else escaped.
    pub snippet: String,
}

impl Search {
    /// What the owner has that holds all words of `text`, each perhaps as the beginning of a longer one; the best first.
    /// Nothing when there is no word in `text`. Beyond a thousand matches nothing is found.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, owner: i64, text: &str, offset: i64, limit: i64) -> Result<Vec<Found>, Error> {
        let Some(query) = SearchQuery::parse(text) else { return Ok(Vec::new()) };
        let slice = OffsetRange { offset, limit };
        let (hits, query) = self
            .0
            .db
            .read(move |c| search::find(c, owner, &query, slice).map(|hits| (hits, query)).map_err(Error::from))
            .await?;
        Ok(hits.into_iter().map(|hit| Found { snippet: shown(&hit, &query), hit }).collect())
    }
}

fn shown(hit: &Hit, query: &SearchQuery) -> String {
    snippet(&hit.name, query)
        .or_else(|| hit.description.as_deref().and_then(|description| snippet(description, query)))
        .unwrap_or_default()
}
