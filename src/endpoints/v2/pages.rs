//! Cursor pages: from a request to a walk, and from what it found to links.

use std::future::Future;

use contract::{
    ApiError, ErrorCode, Json,
    listing::{Format, ListResponse, Page, PageHeaders, RowStream},
    table::{Row, RowFormat},
    v2::{
        ProblemResponse,
        parameters::{Cursor, Sort},
        responses::PageResponse,
        schemas::{CursorLinks, CursorMeta},
    },
    values::{Nullable, SearchText},
};
use poem::Body;
use serde::Serialize;

use super::{
    conditions,
    cursors::{CursorBinding, CursorPosition, Cursors},
    tables::{self, Batch},
};
use crate::{
    db::repositories::keyset::{Keyset, KeysetPosition, SortKey},
    domain::like_pattern,
    services::{CursorPage, CursorQuery, ETag, Error, MAX_PER_PAGE},
};

/// How many rows a page has unless the request says it.
const PER_PAGE: i64 = 20;

/// The query of a page, to be said again in its links: only what the request said.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Adds a parameter if the request has it.
    pub(super) fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.0.extend(value.map(|value| (name, value.to_string())));
        self
    }

    fn path(&self, path: &str, per_page: i64, cursor: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::for_suffix(format!("{path}?"), path.len() + 1);
        query.append_pair("per_page", &per_page.to_string());
        for (name, value) in &self.0 {
            query.append_pair(name, value);
        }
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        query.finish()
    }
}

/// How many rows a page has at most.
pub(super) fn per_page(asked: Option<i32>) -> i64 {
    asked.map_or(PER_PAGE, |asked| i64::from(asked).clamp(1, MAX_PER_PAGE))
}

/// The order a request asks for.
pub(super) fn order(sort: Option<&Sort>) -> (SortKey, bool) {
    let text = sort.map_or("created_at", |Sort(text)| text);
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    let key = match name {
        "updated_at" => SortKey::UpdatedAt,
        "name" => SortKey::Name,
        // The document allows nothing else.
        _ => SortKey::CreatedAt,
    };
    (key, descending)
}

/// A list by cursor as it was asked for.
pub(super) struct ListRequest<'a, F> {
    /// Names the list and its owner.
    pub(super) list: String,
    pub(super) filter: F,
    pub(super) sort: Option<&'a Sort>,
    pub(super) cursor: Option<&'a Cursor>,
    pub(super) limit: i64,
    pub(super) with_total: bool,
}

impl<F: Clone + std::fmt::Debug> ListRequest<'_, F> {
    /// The walk, and what its cursors are bound to.
    pub(super) fn walk(&self, cursors: &Cursors) -> Result<(CursorQuery<F>, CursorBinding), ErrorCode> {
        let (sort, descending) = order(self.sort);
        let binding = CursorBinding::new(&self.list, &(sort, descending, &self.filter));
        let after = match cursors.read(&binding, self.cursor)? {
            Some(CursorPosition::After(position)) => Some(position),
            None => None,
            Some(CursorPosition::Offset(_)) => return Err(ErrorCode::InvalidCursor),
        };
        let keyset = Keyset { sort, descending, after, limit: self.limit };
        Ok((CursorQuery { filter: self.filter.clone(), keyset, with_total: self.with_total }, binding))
    }
}

/// The pattern for the repositories; a blank `q` searches nothing.
pub(super) fn pattern(q: Option<&SearchText>) -> Option<String> {
    q.filter(|SearchText(q)| !q.trim().is_empty()).map(|SearchText(q)| like_pattern(q))
}

/// The words of a list parameter, as they are sent; `None` where there are none.
pub(super) fn list(first: Option<&str>, second: Option<&str>) -> Option<String> {
    let words: Vec<&str> = first.into_iter().chain(second).collect();
    (!words.is_empty()).then(|| words.join(","))
}

/// A page in the format that was asked for. `rows` takes them out of it.
pub(super) fn answer<P: Page>(
    format: Format,
    file_name: &'static str,
    page: P,
    rows: impl FnOnce(P) -> Vec<P::Row>,
    link: String,
) -> Result<ListResponse<P>, ProblemResponse> {
    let unwritable = |error| ApiError::new(ErrorCode::InternalError).with_source(error);
    Ok(match format {
        Format::Json => {
            let PageResponse { page, headers } = listed(page, link)?;
            ListResponse::Page(page, headers)
        }
        Format::Rows(format) => {
            let rows = rows(page);
            let text = format.begin::<P::Row>().and_then(|text| format.append(&rows, text)).map_err(unwritable)?;
            ListResponse::Rows(RowStream { format, file_name, body: text.into(), link: Some(link) })
        }
    })
}

/// A page with what its headers say.
pub(super) fn listed<P: Serialize>(page: P, link: String) -> Result<PageResponse<P>, ProblemResponse> {
    let page = Json(page).write().map_err(|error| ApiError::new(ErrorCode::InternalError).with_source(error))?;
    let etag = conditions::tag(&ETag::of_text(page.text()));
    Ok(PageResponse { page, headers: PageHeaders { link: Some(link), etag } })
}

/// All rows from the start of `walk` on, streamed, `size` at once. `fetch` walks, `position` tells where a row is, `show`
/// makes of it what is answered.
pub(super) async fn all<F, T, R, Fut>(
    format: RowFormat,
    size: usize,
    walk: CursorQuery<F>,
    fetch: impl Fn(CursorQuery<F>) -> Fut + Send + 'static,
    position: fn(&T, SortKey) -> KeysetPosition,
    show: fn(T) -> R,
) -> Result<Body, ProblemResponse>
where
    F: Clone + Send + 'static,
    T: Send + 'static,
    R: Row + Send + 'static,
    Fut: Future<Output = Result<CursorPage<T>, Error>> + Send + 'static,
{
    let batch = move |found: CursorPage<T>, mut walk: CursorQuery<F>| {
        let last = found.rows.last().filter(|_| found.has_more).map(|row| position(row, walk.keyset.sort));
        let next = last.map(|last| {
            walk.keyset.after = Some(last);
            walk
        });
        Batch { rows: found.rows.into_iter().map(show).collect(), next }
    };
    let mut walk = walk;
    walk.keyset.limit = i64::try_from(size).unwrap_or(i64::MAX - 1);
    // Rows have no place for a total: counting them anew for each batch would be for nothing.
    walk.with_total = false;
    let first = batch(fetch(walk.clone()).await?, walk);
    Ok(tables::rows(format, first, move |walk: CursorQuery<F>| {
        let fetching = fetch(walk.clone());
        async move { fetching.await.map(|found| batch(found, walk)) }
    }))
}

/// Where the rows of a page end, if there are more.
pub(super) fn end<T>(found: &CursorPage<T>, position: impl FnOnce(&T) -> KeysetPosition) -> Option<CursorPosition> {
    found.rows.last().filter(|_| found.has_more).map(|row| CursorPosition::After(position(row)))
}

/// What a page says of itself: how it was cut, its links, and the same links as a `Link` header (RFC 8288).
pub(super) struct PageEnvelope {
    pub(super) meta: CursorMeta,
    pub(super) links: CursorLinks,
    pub(super) header: String,
}

impl PageEnvelope {
    pub(super) fn new(
        path: &str,
        query: &Query,
        per_page: i64,
        cursor: Option<&Cursor>,
        next: Option<&str>,
        total: Option<i64>,
    ) -> Self {
        let this = query.path(path, per_page, cursor.map(|Cursor(cursor)| cursor.as_str()));
        let next = next.map(|next| query.path(path, per_page, Some(next)));
        let mut header = format!("<{this}>; rel=\"self\"");
        if let Some(next) = &next {
            header.push_str(&format!(", <{next}>; rel=\"next\""));
        }
        let meta = CursorMeta { per_page, has_more: next.is_some(), total: Nullable(total) };
        Self { meta, links: CursorLinks { this, next: Nullable(next) }, header }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_say_again_what_was_asked() {
        let query =
            Query::default().with("sort", Some("-name")).with("q", Some("50% & more")).with("done", None::<bool>);
        let cursor = Cursor("abc".into());
        let frame = PageEnvelope::new("/x", &query, 20, Some(&cursor), Some("def"), None);
        assert_eq!(frame.links.this, "/x?per_page=20&sort=-name&q=50%25+%26+more&cursor=abc");
        assert_eq!(frame.links.next.0.as_deref(), Some("/x?per_page=20&sort=-name&q=50%25+%26+more&cursor=def"));
        assert_eq!(
            frame.header,
            "</x?per_page=20&sort=-name&q=50%25+%26+more&cursor=abc>; rel=\"self\", \
             </x?per_page=20&sort=-name&q=50%25+%26+more&cursor=def>; rel=\"next\""
        );
        let last = PageEnvelope::new("/x", &Query::default(), 20, None, None, Some(3));
        assert_eq!((last.links.this.as_str(), last.meta.has_more), ("/x?per_page=20", false));
        assert_eq!(last.header, "</x?per_page=20>; rel=\"self\"");
    }

    #[test]
    fn pages_have_from_one_to_a_hundred_rows() {
        assert_eq!([None, Some(0), Some(7), Some(1000)].map(per_page), [20, 1, 7, 100]);
    }
}
