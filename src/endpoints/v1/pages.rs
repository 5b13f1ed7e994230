//! The metadata and links of offset pages.

use contract::{
    v1::schemas::{PageLinks, PageMeta},
    values::{Nullable, SearchText},
};

use crate::domain::OffsetQuery;

/// Returns the query for a page, from the parameters of a list operation.
pub(super) fn query(page: i32, per_page: i32, q: Option<SearchText>) -> OffsetQuery {
    OffsetQuery { page: i64::from(page), per_page: i64::from(per_page), q: q.map(|SearchText(q)| q) }
}

/// Returns the metadata and the links of a page.
pub(super) fn meta_and_links(path: &str, query: &OffsetQuery, total: i64) -> (PageMeta, PageLinks) {
    let per_page = query.per_page();
    let page = query.page.max(1);
    let pages = total.div_euclid(per_page) + i64::from(total.rem_euclid(per_page) > 0);
    let last = pages.max(1);
    let link = |page: i64| link(path, page, per_page, query.q.as_deref());
    let links = PageLinks {
        this: link(page),
        first: link(1),
        // The previous page of a page past the end is the last page.
        prev: Nullable((page > 1).then(|| link((page - 1).min(last)))),
        next: Nullable((page < last).then(|| link(page + 1))),
        last: link(last),
    };
    (PageMeta { page, per_page, total, pages }, links)
}

fn link(path: &str, page: i64, per_page: i64, q: Option<&str>) -> String {
    let mut link = format!("{path}?page={page}&per_page={per_page}");
    if let Some(q) = q {
        link.push_str("&q=");
        link.extend(url::form_urlencoded::byte_serialize(q.as_bytes()));
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(page: i32, total: i64) -> (i64, Option<String>, Option<String>, String) {
        let (meta, links) = meta_and_links("/x", &query(page, 10, None), total);
        (meta.pages, links.prev.0, links.next.0, links.last)
    }

    fn to(page: i64) -> String {
        format!("/x?page={page}&per_page=10")
    }

    #[test]
    fn links_refer_to_existing_pages() {
        assert_eq!(links(1, 0), (0, None, None, to(1)));
        assert_eq!(links(1, 10), (1, None, None, to(1)));
        assert_eq!(links(1, 11), (2, None, Some(to(2)), to(2)));
        assert_eq!(links(2, 30), (3, Some(to(1)), Some(to(3)), to(3)));
        assert_eq!(links(3, 30), (3, Some(to(2)), None, to(3)));
        assert_eq!(links(99, 30), (3, Some(to(3)), None, to(3)));
    }

    #[test]
    fn links_repeat_the_search_text() {
        let (_, links) = meta_and_links("/x", &query(1, 500, Some(SearchText("50% & more".into()))), 1);
        assert_eq!(links.this, "/x?page=1&per_page=100&q=50%25+%26+more");
    }
}
