//! The HTML pages `/`, `/docs`, `/reference`, `/guides`, `/console` and `/problems`, with their scripts, styles and icons, and descriptions for programs.
//!
//! Defines their content, paths, content security policies and cache lifetimes as data. This module does not depend on an HTTP
//! framework, the configuration or the route table; the caller converts each [`Page`] to a response. The pages do not refer
//! to other hosts, so that they work without internet access.

mod assets;
mod console;
mod discovery;
mod docs;
mod guides;
mod home;
mod layout;
mod links;
mod mail;
mod markdown;
mod not_found;
mod problems;
mod reference;
mod robots;
mod swagger_ui;
mod template;

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests may panic")]
mod tests;

use std::borrow::Cow;

use contract::{ErrorCode, ViolationInfo, problem};

/// The path and response of a page or an asset.
#[derive(Debug, Clone)]
pub struct Page {
    /// The path without a query. Paths of scripts and styles contain a fingerprint of their content.
    pub path: Cow<'static, str>,
    pub content_type: &'static str,
    /// The value of `Content-Security-Policy`.
    pub csp: &'static str,
    /// The value of `Cache-Control`.
    pub cache_control: &'static str,
    /// The value of `ETag`, so that `no-cache` pages are revalidated without sending them again.
    pub etag: String,
    /// Borrowed for assets, so that they are not copied if the pages are built again.
    pub body: Cow<'static, [u8]>,
}

impl Page {
    /// Returns whether programs read it: Markdown and the API catalog. Pages of every origin may then read it, too.
    #[must_use]
    pub fn is_for_programs(&self) -> bool {
        matches!(self.content_type, MARKDOWN | discovery::CATALOG_TYPE)
    }
}

/// Information about the server that the pages display.
#[derive(Debug, Clone, Copy)]
pub struct PageInfo<'a> {
    /// The path of the public URL, without a slash at its end. Paths of pages do not contain it, but links to them do.
    pub base_path: &'a str,
    pub version: &'a str,
    pub commit: &'a str,
    pub environment: &'a str,
    /// Email address and password of the demo account. Ignored outside of development.
    pub demo_login: Option<(&'a str, &'a str)>,
    /// Email address and password of the administrator. Ignored outside of development.
    pub admin_login: Option<(&'a str, &'a str)>,
    /// The deprecated operations.
    pub deprecations: &'a [ListedDeprecation],
    /// The API versions, with a document at `/openapi/{contract}.json`. The first is the default of `/docs`, `/reference` and the quick start.
    pub contracts: &'a [&'a str],
    /// Mail with sample data. Ignored outside of development.
    pub mails: &'a [MailPreview],
    /// The directory that mail is written to; `None` if a mail server sends it.
    pub mail_dir: Option<&'a str>,
    /// The value of `INCIDENTS`: the failures that the server captures.
    pub captures: &'a str,
}

/// A deprecated operation.
#[derive(Debug, Clone)]
pub struct ListedDeprecation {
    /// The API version: `v1`.
    pub version: &'static str,
    pub operation: &'static str,
    /// The first day on which the operation is deprecated: `2026-11-20`.
    pub since: String,
    /// The first day on which the operation returns 410.
    pub sunset: String,
}

/// A message with sample data.
#[derive(Debug, Clone)]
pub struct MailPreview {
    /// The last segment of the path.
    pub name: &'static str,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl<'a> PageInfo<'a> {
    /// Returns the demo account in development. This check is redundant: it keeps credentials that were passed by mistake in
    /// production from a public page.
    fn demo(&self) -> Option<(&'a str, &'a str)> {
        self.demo_login.filter(|_| self.environment == "development")
    }

    /// Returns the administrator in development.
    fn admin(&self) -> Option<(&'a str, &'a str)> {
        self.admin_login.filter(|_| self.environment == "development")
    }
}

/// For assets with a fingerprint. HTML is revalidated on each request and refers to the current assets.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const REVALIDATE: &str = "no-cache";
const ONE_DAY: &str = "public, max-age=86400";

/// For assets, which are never displayed as documents.
const CSP_ASSET: &str = "default-src 'none'; frame-ancestors 'none'";
/// `form-action 'none'`: if the script fails to load, the browser does not submit the login form, which would put the password
/// into the address bar.
const CSP_HOME: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// `data:` images are icons in the style sheet of Swagger UI.
const CSP_DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// As for the console: the search reads its index.
const CSP_REFERENCE: &str = CSP_CONSOLE;

/// As for `/docs`, without `data:` images.
const CSP_CONSOLE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For pages without scripts other than the one for the color scheme.
const CSP_TEXT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const MARKDOWN: &str = "text/markdown; charset=utf-8";

/// Returns every page and asset. The first call in a process extracts Swagger UI and renders the reference.
pub fn pages(info: &PageInfo<'_>) -> Vec<Page> {
    let mut pages = pages_at_root(info);
    pages.iter_mut().for_each(|page| links::add_base_path(page, info.base_path));
    pages
}

/// Returns the pages with links for a server at the root of its host.
fn pages_at_root(info: &PageInfo<'_>) -> Vec<Page> {
    let assets = assets::all();
    let mut pages = vec![
        page("/", HTML, CSP_HOME, REVALIDATE, home::html(info, assets)),
        page("/docs", HTML, CSP_DOCS, REVALIDATE, docs::html(info, assets)),
        page(problem::PAGES_PATH, HTML, CSP_TEXT, REVALIDATE, problems::index(info, assets)),
        page("/llms.txt", MARKDOWN, CSP_ASSET, REVALIDATE, discovery::llms_txt(info)),
        page("/.well-known/api-catalog", discovery::CATALOG_TYPE, CSP_ASSET, REVALIDATE, discovery::api_catalog(info)),
        page("/robots.txt", "text/plain; charset=utf-8", CSP_ASSET, ONE_DAY, robots::txt(info)),
    ];
    pages.extend(
        console::SECTIONS
            .iter()
            .map(|section| page(section.path, HTML, CSP_CONSOLE, REVALIDATE, console::html(section, info, assets))),
    );
    pages.extend(ErrorCode::ALL.iter().map(|code| {
        page(problem::page_path(*code), HTML, CSP_TEXT, REVALIDATE, problems::error_code_page(*code, info, assets))
    }));
    // The page of an error code explains violations with the same code.
    pages.extend(ViolationInfo::ALL.iter().filter(|known| !known.is_error_code()).map(|known| {
        let html = problems::violation_page(known, info, assets);
        page(problem::violation_page_path(known), HTML, CSP_TEXT, REVALIDATE, html)
    }));
    pages.extend(reference::pages(info, assets));
    pages.extend(guides::files());
    pages.extend(mail::pages(info, assets));
    pages.extend(assets.iter().map(|asset| Page {
        path: Cow::Borrowed(&asset.path),
        content_type: asset.content_type,
        csp: CSP_ASSET,
        cache_control: if asset.is_fingerprinted() { IMMUTABLE } else { ONE_DAY },
        etag: format!("\"{}\"", asset.fingerprint),
        body: Cow::Borrowed(asset.body),
    }));
    pages
}

/// The address of the server in the commands of pages, which [`fill_in`] replaces.
const HTML_ADDRESS: &str = "<span data-origin>https://the-host-of-this-page</span>";
/// The address of the server in guides as Markdown.
const MARKDOWN_ADDRESS: &str = "BASE_URL=http://localhost:8000\n";
/// The state of the server on the landing page.
const STATE: &str = "<strong data-state>unknown</strong>";

/// Returns whether the page contains the address of the server.
#[must_use]
pub fn has_address(page: &Page) -> bool {
    match page.content_type {
        HTML => String::from_utf8_lossy(&page.body).contains(HTML_ADDRESS),
        MARKDOWN => String::from_utf8_lossy(&page.body).contains(MARKDOWN_ADDRESS),
        _ => false,
    }
}

/// Returns whether the page shows the state of the server.
#[must_use]
pub fn has_state(page: &Page) -> bool {
    page.content_type == HTML && String::from_utf8_lossy(&page.body).contains(STATE)
}

/// Returns the text of a page with the URL and the state of the server.
#[must_use]
pub fn fill_in(page: &Page, url: &str, state: &str) -> String {
    let text = String::from_utf8_lossy(&page.body);
    if page.content_type == MARKDOWN {
        return text.replace(MARKDOWN_ADDRESS, &format!("BASE_URL={url}\n"));
    }
    let address = HTML_ADDRESS.replace("https://the-host-of-this-page", &template::escape_html(url));
    let state = STATE.replace("unknown", &template::escape_html(state));
    text.replace(HTML_ADDRESS, &address).replace(STATE, &state)
}

/// Returns the path of each operation in the reference, in lower case, with the page and the anchor that describe it.
pub fn operation_anchors() -> impl Iterator<Item = (String, String)> {
    reference::operation_anchors()
}

/// Returns the page for unknown paths. Its path is not served.
pub fn not_found(info: &PageInfo<'_>) -> Page {
    let mut page = page("/404", HTML, CSP_TEXT, REVALIDATE, not_found::html(info, assets::all()));
    links::add_base_path(&mut page, info.base_path);
    page
}

fn page(
    path: impl Into<Cow<'static, str>>,
    content_type: &'static str,
    csp: &'static str,
    cache_control: &'static str,
    text: String,
) -> Page {
    let etag = etag_of(&text);
    Page { path: path.into(), content_type, csp, cache_control, etag, body: Cow::Owned(text.into_bytes()) }
}

fn etag_of(text: &str) -> String {
    format!("\"{}\"", assets::fingerprint(text.as_bytes()))
}
