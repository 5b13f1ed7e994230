//! Cursor pages: from the parameters of a request to a query, and from its result to a response with links.

use std::future::Future;

use contract::{
    ApiError, ErrorCode, Json,
    listing::{Format, HasRows, ListResponse, PageHeaders, RowStream},
    payload::SerializedJson,
    table::{Row, RowFormat},
    v2::{
        ProblemResponse,
        parameters::{Cursor, PerPage, Sort},
        responses::PageResponse,
        schemas::{CursorLinks, CursorMeta},
    },
    values::{Nullable, SearchText},
};
use poem::Body;
use poem_openapi::types::Type;
use serde::Serialize;

use super::{
    conditions,
    cursors::{CursorBinding, CursorPosition, Cursors},
    tables::{self, Batch},
};
use crate::{
    domain::{CursorPage, CursorQuery, ETag, Keyset, KeysetPosition, MAX_PER_PAGE, SortKey, TextFilter},
    services::Error,
};

/// The default page size.
const DEFAULT_PER_PAGE: i64 = 20;

/// The query parameters of a page, to be repeated in its links. Contains only parameters that the request has.
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

/// Returns the page size for a request.
pub(super) fn per_page(requested: Option<PerPage>) -> i64 {
    requested.map_or(DEFAULT_PER_PAGE, |PerPage(requested)| i64::from(requested).clamp(1, MAX_PER_PAGE))
}

/// Returns the sort key of a request, and whether the order is descending.
pub(super) fn order(sort: Option<&Sort>) -> (SortKey, bool) {
    let text = sort.map_or("created_at", |Sort(text)| text);
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    let key = match name {
        "updated_at" => SortKey::UpdatedAt,
        "name" => SortKey::Name,
        // The enum of the parameter has no other values.
        _ => SortKey::CreatedAt,
    };
    (key, descending)
}

/// A request for a page of a list.
pub(super) struct ListRequest<'a, F> {
    /// Identifies the list and its owner.
    pub(super) list: String,
    pub(super) filter: F,
    pub(super) sort: Option<&'a Sort>,
    pub(super) cursor: Option<&'a Cursor>,
    pub(super) limit: i64,
    pub(super) with_total: bool,
}

impl<F: Clone + std::fmt::Debug> ListRequest<'_, F> {
    /// Returns the query, and the binding of its cursors.
    pub(super) fn query(&self, cursors: &Cursors) -> Result<(CursorQuery<F>, CursorBinding), ErrorCode> {
        let (sort, descending) = order(self.sort);
        let binding = CursorBinding::new(&self.list, &(sort, descending, &self.filter));
        let after = match cursors.decode(&binding, self.cursor)? {
            Some(CursorPosition::After(position)) => Some(position),
            None => None,
            Some(CursorPosition::Offset(_)) => return Err(ErrorCode::InvalidCursor),
        };
        let keyset = Keyset { sort, descending, after, limit: self.limit };
        Ok((CursorQuery { filter: self.filter.clone(), keyset, with_total: self.with_total }, binding))
    }
}

/// Returns a page of a list that is short enough to be read as a whole, and the cursor of the next page. `list` identifies the list.
pub(super) fn page_of_all<T>(
    all: Vec<T>,
    list: &str,
    cursors: &Cursors,
    cursor: Option<&Cursor>,
    limit: i64,
) -> Result<(CursorPage<T>, Option<String>), ErrorCode> {
    let binding = CursorBinding::new(list, &());
    let offset = match cursors.decode(&binding, cursor)? {
        Some(CursorPosition::Offset(offset)) => offset,
        Some(CursorPosition::After(_)) => return Err(ErrorCode::InvalidCursor),
        None => 0,
    };
    let rows = all.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)).collect();
    let page = CursorPage::from_lookahead(rows, limit);
    let next = page.has_more.then(|| cursors.encode(&binding, &CursorPosition::Offset(offset + limit)));
    Ok((page, next))
}

/// Returns the filter of `q`; `None` if it is blank.
pub(super) fn text_filter(q: Option<&SearchText>) -> Option<TextFilter> {
    q.and_then(|SearchText(q)| TextFilter::parse(q))
}

/// Joins the values of an array parameter as in the request; `None` without values.
pub(super) fn join_values(first: Option<&str>, second: Option<&str>) -> Option<String> {
    let values: Vec<&str> = first.into_iter().chain(second).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Returns a page in the negotiated format. `rows` extracts the rows of the page.
pub(super) fn list_response<P: HasRows>(
    format: Format,
    file_name: &'static str,
    page: P,
    rows: impl FnOnce(P) -> Vec<P::Row>,
    link: String,
) -> Result<ListResponse<P>, ProblemResponse> {
    Ok(match format {
        Format::Json => {
            let (page, etag) = serialized(page)?;
            ListResponse::Page(page, PageHeaders { link: Some(link), etag })
        }
        Format::Rows(format) => {
            let rows = rows(page);
            let text = format
                .write_header::<P::Row>()
                .and_then(|text| format.append(&rows, text))
                .map_err(|error| ApiError::new(ErrorCode::InternalError).with_source(error))?;
            ListResponse::Rows(RowStream { format, file_name, body: text.into(), link: Some(link) })
        }
    })
}

/// Returns a page as JSON, with its headers.
pub(super) fn page_response<P>(page: P, link: String) -> Result<PageResponse<P>, ProblemResponse>
where
    P: Type + Serialize + Send,
{
    let (page, etag) = serialized(page)?;
    Ok(PageResponse::Ok(page, link.into(), etag.into()))
}

/// Serializes a page and computes its ETag.
fn serialized<P: Serialize>(page: P) -> Result<(SerializedJson<P>, String), ProblemResponse> {
    let page = Json(page).serialize().map_err(|error| ApiError::new(ErrorCode::InternalError).with_source(error))?;
    let etag = conditions::header_value(&ETag::of_bytes(page.text()));
    Ok((page, etag))
}

/// Streams all rows from the start of `query`, in batches of `batch_size`. `fetch` reads a page, `position` returns the position of
/// a row, `convert` its representation.
pub(super) async fn stream_all<F, T, R, Fut>(
    format: RowFormat,
    batch_size: usize,
    mut query: CursorQuery<F>,
    fetch: impl Fn(CursorQuery<F>) -> Fut + Send + 'static,
    position: fn(&T, SortKey) -> KeysetPosition,
    convert: fn(T) -> R,
) -> Result<Body, ProblemResponse>
where
    F: Clone + Send + 'static,
    T: Send + 'static,
    R: Row + Send + 'static,
    Fut: Future<Output = Result<CursorPage<T>, Error>> + Send + 'static,
{
    let batch = move |page: CursorPage<T>, mut query: CursorQuery<F>| {
        let last = page.data.last().filter(|_| page.has_more).map(|row| position(row, query.keyset.sort));
        let next = last.map(|last| {
            query.keyset.after = Some(last);
            query
        });
        Batch { rows: page.data.into_iter().map(convert).collect(), next }
    };
    query.keyset.limit = i64::try_from(batch_size).unwrap_or(i64::MAX - 1);
    // Streams of rows have no metadata, and therefore no total.
    query.with_total = false;
    let first = batch(fetch(query.clone()).await?, query);
    Ok(tables::stream_rows(format, first, move |query: CursorQuery<F>| {
        let fetching = fetch(query.clone());
        async move { fetching.await.map(|page| batch(page, query)) }
    }))
}

/// Returns the position of the next page, if there is one.
pub(super) fn next_position<T>(
    page: &CursorPage<T>,
    position: impl FnOnce(&T) -> KeysetPosition,
) -> Option<CursorPosition> {
    page.data.last().filter(|_| page.has_more).map(|row| CursorPosition::After(position(row)))
}

/// The metadata and links of a page, and the same links as a `Link` header (RFC 8288).
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
    fn links_repeat_the_parameters_of_the_request() {
        let query =
            Query::default().with("sort", Some("-name")).with("q", Some("50% & more")).with("done", None::<bool>);
        let cursor = Cursor("abc".into());
        let envelope = PageEnvelope::new("/x", &query, 20, Some(&cursor), Some("def"), None);
        assert_eq!(envelope.links.this, "/x?per_page=20&sort=-name&q=50%25+%26+more&cursor=abc");
        assert_eq!(envelope.links.next.0.as_deref(), Some("/x?per_page=20&sort=-name&q=50%25+%26+more&cursor=def"));
        assert_eq!(
            envelope.header,
            "</x?per_page=20&sort=-name&q=50%25+%26+more&cursor=abc>; rel=\"self\", \
             </x?per_page=20&sort=-name&q=50%25+%26+more&cursor=def>; rel=\"next\""
        );
        let last = PageEnvelope::new("/x", &Query::default(), 20, None, None, Some(3));
        assert_eq!((last.links.this.as_str(), last.meta.has_more), ("/x?per_page=20", false));
        assert_eq!(last.header, "</x?per_page=20>; rel=\"self\"");
    }

    #[test]
    fn page_size_is_clamped() {
        assert_eq!(
            [None, Some(0), Some(7), Some(1000)].map(|requested| per_page(requested.map(PerPage))),
            [20, 1, 7, 100]
        );
    }
}
