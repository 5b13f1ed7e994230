//! `/v2/search`.

use contract::{
    User,
    v2::{
        IfNoneMatch, ProblemResponse,
        endpoints::SearchEndpoints,
        parameters::{Cursor, PerPage},
        responses::PageResponse,
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
use crate::{
    domain::{CursorPage, UserId},
    services::Search,
};

/// Implements the search endpoint.
pub struct SearchApi {
    pub(super) search: Search,
    pub(super) cursors: Cursors,
}

impl SearchEndpoints for SearchApi {
    async fn search(
        &self,
        User(caller): User,
        Query(values::SearchText(q)): Query<values::SearchText>,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<SearchPage>, ProblemResponse> {
        let owner = UserId::new(caller.user_id);
        let limit = pages::per_page(per_page);
        let binding = CursorBinding::new(&format!("search of {owner}"), &q);
        let offset = match self.cursors.decode(&binding, cursor.as_ref())? {
            Some(CursorPosition::Offset(offset)) => offset,
            _ => 0,
        };
        let results = self.search.find(owner, &q, offset, limit.saturating_add(1)).await?;
        let page = CursorPage::from_lookahead(results, limit);
        let next = page.has_more.then(|| self.cursors.encode(&binding, &CursorPosition::Offset(offset + limit)));
        let link_query = pages::Query::default().with("q", Some(q));
        let envelope = PageEnvelope::new("/v2/search", &link_query, limit, cursor.as_ref(), next.as_deref(), None);
        let data = page.data.into_iter().map(representations::search_hit).collect();
        let page = SearchPage { data, meta: envelope.meta, links: envelope.links };
        pages::page_response(page, envelope.header)
    }
}
