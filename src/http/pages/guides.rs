//! `/guides`: pages about the use of the API, written in Markdown in `docs/guides/`, and the changelog. Each is also served as Markdown.

use std::{fmt::Write as _, sync::LazyLock};

use super::{
    CSP_ASSET, HTML_ADDRESS, MARKDOWN, Page, REVALIDATE,
    assets::fingerprint,
    markdown::{self, MarkdownPage},
    reference::{self, Article},
    template::escape_html,
};

pub(super) const PATH: &str = "/guides";

/// The origin in the commands of the guides, which the pages replace by that of the server.
const ORIGIN: &str = "http://localhost:8000";

/// A guide.
pub(super) struct Guide {
    /// The last segment of its path, and the name of its file.
    pub(super) name: &'static str,
    /// A sentence about its content.
    pub(super) summary: &'static str,
    /// The Markdown, with links as served.
    text: String,
    pub(super) page: MarkdownPage,
}

macro_rules! guides {
    ($($name:literal $summary:literal)*) => {
        [$(($name, $summary, include_str!(concat!("../../../docs/guides/", $name, ".md"))),)*]
    };
}

/// The guides in the order of the navigation, each with a sentence about it and its text.
const TEXTS: [(&str, &str, &str); 8] = guides! {
    "quick-start" "Create an account, a bucketlist and an item."
    "authentication" "Log in, refresh the session, log out, and use the key of an API client."
    "pagination" "Read lists page by page, sort and filter them, or stream them as CSV."
    "errors" "Read an error response, decide whether to retry, and capture and replay a failure."
    "idempotency" "Retry a request without creating a resource twice."
    "conditional-requests" "Prevent lost updates, and save bandwidth, with ETags."
    "rate-limits" "Read the limits, and handle 429."
    "migrating-to-v2" "Move from v1 to v2, one operation at a time."
};

static GUIDES: LazyLock<Vec<Guide>> = LazyLock::new(|| {
    let mut guides: Vec<Guide> = TEXTS
        .iter()
        .map(|(name, summary, text)| Guide::new(name, summary, text.replace("](../../", "](../")))
        .collect();
    guides.push(Guide::new(
        "changelog",
        "What has changed in each version.",
        include_str!("../../../CHANGELOG.md").to_owned(),
    ));
    guides
});

impl Guide {
    fn new(name: &'static str, summary: &'static str, text: String) -> Self {
        let mut page = markdown::page(&text, &served_link);
        page.html = page.html.replace(ORIGIN, HTML_ADDRESS);
        let text =
            markdown::with_links(&text, &|target| target.starts_with("https://") || served_link(target).is_some());
        Self { name, summary, text, page }
    }

    pub(super) fn path(&self) -> String {
        format!("{PATH}/{}", self.name)
    }
}

/// Returns the target of a link between pages; `None` for files that are not served.
fn served_link(target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let anchor = anchor.map_or_else(String::new, |anchor| format!("#{anchor}"));
    if path.is_empty() {
        return Some(anchor);
    }
    if let Some(name) = path.strip_suffix(".md").filter(|name| !name.contains('/')) {
        return Some(format!("{PATH}/{name}{anchor}"));
    }
    path.strip_prefix("..").filter(|path| path.starts_with('/')).map(|path| format!("{path}{anchor}"))
}

pub(super) fn all() -> &'static [Guide] {
    &GUIDES
}

/// Returns the pages of the guides, and the list of all of them.
pub(super) fn articles() -> Vec<Article> {
    let mut list = String::from("<h1>Guides</h1>\n<ul class=\"operations\">\n");
    for guide in all() {
        let (path, title, summary) = (guide.path(), escape_html(&guide.page.title), escape_html(guide.summary));
        let _ = writeln!(list, "<li><a href=\"{path}\">{title}</a> <span>{summary}</span></li>");
    }
    list.push_str("</ul>\n");
    let index = Article { path: PATH.to_owned(), title: "Guides".to_owned(), html: reference::guide(PATH, &list) };
    let article = |guide: &Guide| {
        let (path, title) = (guide.path(), &guide.page.title);
        let content = format!(
            "<div class=\"guide\">\n<h1>{}</h1>\n{}<p class=\"note\"><a href=\"{path}.md\">This page as Markdown</a></p>\n</div>\n",
            escape_html(title),
            guide.page.html
        );
        Article { html: reference::guide(&path, &content), title: format!("{title} · Guides"), path }
    };
    std::iter::once(index).chain(all().iter().map(article)).collect()
}

/// Returns the guides as Markdown.
pub(super) fn files() -> impl Iterator<Item = Page> {
    all().iter().map(|guide| Page {
        path: format!("{}.md", guide.path()).into(),
        content_type: MARKDOWN,
        csp: CSP_ASSET,
        cache_control: REVALIDATE,
        etag: format!("\"{}\"", fingerprint(guide.text.as_bytes())),
        body: guide.text.as_bytes().into(),
    })
}

/// Returns the guides as links in Markdown.
pub(super) fn links() -> String {
    let link = |guide: &Guide| format!("- [{}]({}.md): {}\n", guide.page.title, guide.path(), guide.summary);
    all().iter().map(link).collect()
}
