//! Full-text search.

use super::*;
use crate::v2::schemas::SearchPage;

/// Full-text search in the caller's bucketlists and items.
#[endpoints(SearchRoutes, prefix_path = "/search", tag = "Tag::Search", operation = "Operation")]
pub trait SearchEndpoints: Send + Sync + 'static {
    /// Search bucketlists and items
    ///
    /// Returns your bucketlists and items whose name or description contains every word of `q`. A word also matches the
    /// beginning of a longer word, regardless of case and accents: `zur` finds Zürich. There is no query syntax.
    ///
    /// Names with the exact words rank first, then names with longer words, then descriptions. Within a rank, bucketlists
    /// come before items, and newer entries before older ones.
    ///
    /// A search returns at most 1,000 results. If more entries match, it selects the exact matches in names first, then the most
    /// recent of the other matches; their order is as described above.
    ///
    /// Results can move between pages when your data changes. For exact listings, use `listBucketlists` and `listItems`.
    #[oai(path = "/", method = "get", operation_id = "search")]
    #[operation(returns("A page of search results, best match first."), limit(OperationLimit::Search))]
    async fn search(
        &self,
        caller: User,
        /// Words to search for, up to 200 characters.
        q: Query<SearchText>,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<SearchPage>>;
}
