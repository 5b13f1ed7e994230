//! `/reference`: pages for each API version and tag, rendered from the OpenAPI documents, and the search index. They contain all their
//! text, so that they can be read before a script has run and without one.

mod document;
mod fields;
mod operation;
mod search_index;
mod text;

use std::{collections::BTreeSet, fmt::Write as _, sync::LazyLock};

use super::{
    CSP_ASSET, CSP_REFERENCE, HTML, HTML_ADDRESS, MARKDOWN, Page, PageInfo, REVALIDATE,
    assets::{self, Asset},
    guides, layout, markdown,
    template::{escape_html, fill},
};
use document::{ReferenceDocument, ReferenceOperation, TagPage};

pub(super) const PATH: &str = "/reference";

/// The content of a page, without the header that depends on the server.
pub(super) struct Article {
    pub(super) path: String,
    pub(super) title: String,
    pub(super) html: String,
}

/// A file for programs.
struct TextFile {
    path: String,
    text: String,
    content_type: &'static str,
}

/// Rendered once per process: the content does not depend on the configuration.
struct Rendered {
    articles: Vec<Article>,
    files: Vec<TextFile>,
}

/// The versions of the pages, the newest first.
const VERSIONS: [&str; 2] = ["v2", "v1"];

static RENDERED: LazyLock<Rendered> = LazyLock::new(|| {
    let documents: Vec<ReferenceDocument> = VERSIONS.into_iter().filter_map(ReferenceDocument::of).collect();
    let mut rendered = Rendered { articles: Vec::new(), files: Vec::new() };
    for (index, document) in documents.iter().enumerate() {
        let tags = document.tags();
        if index == 0 {
            rendered.articles.push(overview(document, &tags, PATH, "API reference"));
        }
        let version = document.version;
        rendered.articles.push(overview(
            document,
            &tags,
            &version_path(version),
            &format!("API reference of {version}"),
        ));
        for tag in &tags {
            rendered.articles.push(tag_page(document, &tags, tag));
            for operation in &tag.operations {
                rendered.files.push(TextFile {
                    path: format!("{}/{}.md", version_path(version), operation.id()),
                    text: text::markdown(document, operation),
                    content_type: MARKDOWN,
                });
            }
        }
    }
    rendered.articles.extend(guides::articles());
    rendered.files.push(TextFile {
        path: format!("{PATH}/search.json"),
        text: search_index::json(&documents, guides::all()),
        content_type: "application/json",
    });
    rendered
});

/// Returns the pages of the reference and the guides.
pub(super) fn pages(info: &PageInfo<'_>, assets: &[Asset]) -> Vec<Page> {
    let shell = |article: &Article| {
        let html = fill(
            include_str!("../assets/reference.html"),
            &[
                ("head", &layout::head(assets)),
                ("header", &layout::header(info, &article.path, "")),
                ("title", &escape_html(&article.title)),
                ("reference.css", assets::path(assets, "reference.css")),
                ("reference.js", assets::path(assets, "reference.js")),
                ("article", &article.html),
            ],
        );
        super::page(article.path.clone(), HTML, CSP_REFERENCE, REVALIDATE, html)
    };
    let file = |file: &'static TextFile| Page {
        path: file.path.as_str().into(),
        content_type: file.content_type,
        csp: CSP_ASSET,
        cache_control: REVALIDATE,
        etag: format!("\"{}\"", assets::fingerprint(file.text.as_bytes())),
        body: file.text.as_bytes().into(),
    };
    RENDERED.articles.iter().map(shell).chain(RENDERED.files.iter().map(file)).collect()
}

/// Returns the path of each operation in lower case, with the page and the anchor that describe it.
pub(super) fn operation_anchors() -> impl Iterator<Item = (String, String)> {
    VERSIONS.into_iter().filter_map(ReferenceDocument::of).flat_map(|document| {
        let root = version_path(document.version);
        let of_tag = |tag: TagPage| {
            let root = root.clone();
            tag.operations.into_iter().map(move |operation| {
                let id = operation.id();
                (format!("{root}/{}", id.to_lowercase()), format!("{root}/{}#{id}", tag.segment))
            })
        };
        document.tags().into_iter().flat_map(of_tag).collect::<Vec<_>>()
    })
}

/// Returns the operations of a version as links in Markdown: summary, path and description of each.
pub(super) fn operation_links(version: &str) -> String {
    let Some(document) = ReferenceDocument::of(version) else { return String::new() };
    let mut list = String::new();
    for operation in document.tags().iter().flat_map(|tag| &tag.operations) {
        let (summary, path) = (operation.summary(), version_path(version));
        let _ =
            writeln!(list, "- [{summary}]({path}/{}.md): `{} {}`", operation.id(), operation.method(), operation.path);
    }
    list
}

/// Returns the path of the overview of a version.
pub(super) fn version_path(version: &str) -> String {
    format!("{PATH}/{version}")
}

fn overview(document: &ReferenceDocument, tags: &[TagPage], path: &str, title: &str) -> Article {
    let version = document.version;
    let mut content = format!(
        "<h1>{title}</h1>\n<p class=\"note\">Every operation of {version}, with code samples in seven languages. As a document: \
         <a href=\"/openapi/{version}.json\">OpenAPI 3.0</a>, <a href=\"/openapi/{version}-3.1.json\">OpenAPI 3.1</a>, \
         <a href=\"/openapi/{version}-samples.json\">with code samples</a>.</p>\n{}",
        markdown::html(document.description())
    );
    for tag in tags {
        let (segment, tag_title) = (&tag.segment, escape_html(&tag.title));
        let _ = writeln!(
            content,
            "<section aria-labelledby=\"{segment}\">\n<h2 id=\"{segment}\"><a href=\"{PATH}/{version}/{segment}\">{tag_title}</a></h2>\n{}<ul class=\"operations\">",
            markdown::html(tag.description)
        );
        for operation in &tag.operations {
            let _ = writeln!(content, "<li>{}</li>", operation_link(version, tag, operation));
        }
        content.push_str("</ul>\n</section>\n");
    }
    Article {
        path: path.to_owned(),
        title: title.to_owned(),
        html: with_navigation(path, Some((document, tags)), &content),
    }
}

fn operation_link(version: &str, tag: &TagPage, operation: &ReferenceOperation) -> String {
    let (method, path) = (operation.method(), escape_html(&operation.path));
    let target = format!("{PATH}/{version}/{}#{}", tag.segment, operation.id());
    format!(
        "<a href=\"{target}\">{}</a> <span class=\"endpoint\"><span class=\"method {}\">{method}</span> <code>{path}</code></span>",
        escape_html(operation.summary()),
        method.to_lowercase()
    )
}

fn tag_page(document: &ReferenceDocument, tags: &[TagPage], tag: &TagPage) -> Article {
    let version = document.version;
    let path = format!("{}/{}", version_path(version), tag.segment);
    let mut objects = BTreeSet::new();
    let mut content = format!("<h1>{} <span class=\"tag\">{version}</span></h1>\n", escape_html(&tag.title));
    content.push_str(&markdown::html(tag.description));
    content.push_str(&format!(
        "<p class=\"note\">The code samples read two variables from the environment: <code>BASE_URL</code>, here \
         <code>{HTML_ADDRESS}</code>, and <code>TOKEN</code>, an \
         <a href=\"/guides/authentication\">access token or the key of an API client</a>.</p>\n"
    ));
    for operation in &tag.operations {
        content.push_str(&operation::html(document, tag, operation, &mut objects));
    }
    content.push_str(&schemas(document, objects));
    let title = format!("{} · Reference of {version}", tag.title);
    Article { html: with_navigation(&path, Some((document, tags)), &content), path, title }
}

/// Returns the descriptions of the object schemas, and of those that they refer to.
fn schemas(document: &ReferenceDocument, mut pending: BTreeSet<&'static str>) -> String {
    let mut described: BTreeSet<&str> = BTreeSet::new();
    let mut sections = std::collections::BTreeMap::new();
    while let Some(name) = pending.pop_first() {
        if !described.insert(name) {
            continue;
        }
        let Some(schema) = document.value.pointer(&format!("/components/schemas/{name}")) else { continue };
        let fields = fields::fields_of(document.value, schema, false);
        let mut referenced = BTreeSet::new();
        let description = markdown::html(openapi_model::traverse::text(schema, "description"));
        let list =
            if fields.is_empty() { String::new() } else { fields::html(document.value, &fields, &mut referenced) };
        pending.extend(referenced.into_iter().filter(|name| !described.contains(name)));
        let section = format!(
            "<section class=\"schema\" id=\"schema-{name}\" aria-labelledby=\"schema-{name}-title\">\n\
             <h3 id=\"schema-{name}-title\">{name}</h3>\n{description}{list}</section>\n"
        );
        sections.insert(name, section);
    }
    if sections.is_empty() {
        return String::new();
    }
    format!("<h2 id=\"objects\">Objects</h2>\n{}", sections.into_values().collect::<String>())
}

/// Returns the content of a guide with the navigation of the reference.
pub(super) fn guide(path: &str, content: &str) -> String {
    with_navigation(path, None, content)
}

/// Returns the content with the navigation: versions, guides and operations. `current` is the version of the page with its tags.
fn with_navigation(path: &str, current: Option<(&ReferenceDocument, &[TagPage])>, content: &str) -> String {
    let link = |target: &str, text: &str| {
        let current = if target == path { " aria-current=\"page\"" } else { "" };
        format!("<a href=\"{target}\"{current}>{}</a>", escape_html(text))
    };
    let version = current.map_or(VERSIONS[0], |(document, _)| document.version);
    let mut navigation = String::from("<ul class=\"versions\">\n");
    for other in VERSIONS {
        let state = if other == version { " aria-current=\"true\"" } else { "" };
        let target = version_path(other);
        let state = if target == path { " aria-current=\"page\"" } else { state };
        let _ = writeln!(navigation, "<li><a href=\"{target}\"{state}>{other}</a></li>");
    }
    navigation.push_str("</ul>\n<p class=\"group\">Guides</p>\n<ul>\n");
    for guide in guides::all() {
        let _ = writeln!(navigation, "<li>{}</li>", link(&guide.path(), &guide.page.title));
    }
    let _ = writeln!(navigation, "</ul>\n<p class=\"group\">Operations of {version}</p>\n<ul>");
    let owned: Vec<TagPage>;
    let tags = match current {
        Some((_, tags)) => tags,
        None => {
            owned = ReferenceDocument::of(version).map(|document| document.tags()).unwrap_or_default();
            &owned
        }
    };
    for tag in tags {
        let target = format!("{}/{}", version_path(version), tag.segment);
        let _ = write!(navigation, "<li>{}", link(&target, &tag.title));
        if target == path {
            navigation.push_str("\n<ul>\n");
            for operation in &tag.operations {
                let summary = escape_html(operation.summary());
                let _ = writeln!(navigation, "<li><a href=\"#{}\">{summary}</a></li>", operation.id());
            }
            navigation.push_str("</ul>\n");
        }
        navigation.push_str("</li>\n");
    }
    let _ = writeln!(
        navigation,
        "</ul>\n<p class=\"group\">Errors</p>\n<ul>\n<li><a href=\"/problems\">Error codes</a></li>\n</ul>"
    );
    format!(
        "<div class=\"layout\">\n<div class=\"side\">\n\
         <button type=\"button\" id=\"search-open\" class=\"search-open\" hidden>Search <kbd>Ctrl K</kbd></button>\n\
         <details class=\"menu\"><summary>Contents</summary>\n<nav aria-label=\"Reference\">\n{navigation}</nav>\n</details>\n</div>\n\
         <main id=\"content\" tabindex=\"-1\">\n{content}</main>\n</div>"
    )
}
