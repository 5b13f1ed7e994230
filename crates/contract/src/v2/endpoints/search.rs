//! Everything of the caller's that has these words.

use endpoints::endpoints;
use poem_openapi::param::Query;

use super::Tag;
use crate::{
    ErrorCode, Operation, User,
    operation::Limit,
    v2::{IfNoneMatch, ProblemResponse, parameters::Cursor, responses::PageResponse, schemas::SearchPage},
    values::SearchText,
};

/// Everything of the caller's that has these words.
#[endpoints(SearchRoutes, prefix_path = "/search", tag = "Tag::Search", operation = "Operation")]
pub trait SearchEndpoints: Send + Sync + 'static {
    /// Search your bucketlists and items.
    ///
    /// Finds what has every word of `q` in its name or description. A word matches the beginning of a word, whatever its
    /// case and accents: `zur` finds Zürich. Everything in `q` is text: there is no query language. Names that have the very
    /// words come first, then names that have words which begin so, then what has some of them in its description; of equal ones
    /// lists before items, and newer before older. Of more than a thousand matches the newest thousand are ranked and shown,
    /// behind the names with the very words. Pages may shift while you write: for an exact walk use the lists.
    #[oai(path = "/", method = "get", operation_id = "search")]
    #[operation(errors(&[ErrorCode::InvalidCursor, ErrorCode::InvalidHeader]), limit(Limit::Search))]
    async fn search(
        &self,
        caller: User,
        /// The words to search for.
        q: Query<SearchText>,
        /// Where to go on: from `links.next` of the page before. Empty begins.
        cursor: Query<Option<Cursor>>,
        /// How many rows a page has at most: 20 unless given; more than 100 counts as 100.
        #[oai(validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<Option<i32>>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<SearchPage>, ProblemResponse>;
}
