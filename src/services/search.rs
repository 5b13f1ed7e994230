//! Full-text search over the bucketlists and items of a user.

use std::sync::Arc;

use super::{Context, Error};
use crate::{
    db::repositories::search,
    domain::{OffsetRange, SearchHit, SearchQuery, UserId, snippet},
};

/// Full-text search over bucketlists and items.
#[derive(Clone)]
pub struct Search(pub(super) Arc<Context>);

/// A match and its snippet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchResult {
    pub hit: SearchHit,
    /// HTML: about 160 characters of the name, or of the description if the name has no match, escaped and with the matches in
    /// `<mark>…</mark>`.
    pub snippet: String,
}

impl Search {
    /// Lists the owner's bucketlists and items that contain all words of `text`, each possibly as the prefix of a longer one; the
    /// best matches first. Returns no results if `text` contains no word, and none after the first 1000.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn find(&self, owner: UserId, text: &str, offset: i64, limit: i64) -> Result<Vec<SearchResult>, Error> {
        let Some(query) = SearchQuery::parse(text) else { return Ok(Vec::new()) };
        let range = OffsetRange { offset, limit };
        let words = query.clone();
        let hits =
            self.0.read_resources(owner, move |c| search::find(c, owner, &words, range).map_err(Error::from)).await?;
        Ok(hits.into_iter().map(|hit| SearchResult { snippet: snippet_of(&hit, &query), hit }).collect())
    }
}

fn snippet_of(hit: &SearchHit, query: &SearchQuery) -> String {
    snippet(&hit.name, query)
        .or_else(|| hit.description.as_deref().and_then(|description| snippet(description, query)))
        .unwrap_or_default()
}
