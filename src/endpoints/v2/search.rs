//! Everything of the caller's that has these words.

use contract::{
    User,
    v2::{
        IfNoneMatch, ProblemResponse, endpoints::SearchEndpoints, parameters::Cursor, responses::PageResponse,
        schemas::SearchPage,
    },
    values,
};
use poem_openapi::param::Query;

use super::{
    Cursors,
    cursors::{CursorBinding, CursorPosition},
    pages::{self, PageEnvelope},
    representations,
};
use crate::services::Search;

/// `/v2/search` over the search.
pub struct SearchText {
    pub(super) search: Search,
    pub(super) cursors: Cursors,
}

impl SearchEndpoints for SearchText {
    async fn search(
        &self,
        User(caller): User,
        Query(values::SearchText(q)): Query<values::SearchText>,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<i32>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<SearchPage>, ProblemResponse> {
        let limit = pages::per_page(per_page);
        let binding = CursorBinding::new(&format!("search of {}", caller.user_id), &q);
        let offset = match self.cursors.read(&binding, cursor.as_ref())? {
            Some(CursorPosition::Offset(offset)) => offset,
            _ => 0,
        };
        // One more tells whether there are more.
        let mut found = self.search.find(caller.user_id, &q, offset, limit + 1).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = found.len() > size;
        found.truncate(size);
        let next = has_more.then(|| self.cursors.write(&binding, &CursorPosition::Offset(offset + limit)));
        let query = pages::Query::default().with("q", Some(q));
        let frame = PageEnvelope::new("/v2/search", &query, limit, cursor.as_ref(), next.as_deref(), None);
        let data = found.into_iter().map(representations::hit).collect();
        let page = SearchPage { data, meta: frame.meta, links: frame.links };
        pages::listed(page, frame.header)
    }
}
