//! The pages for humans: what a browser sees at `/`, `/docs`, `/redoc`, `/console` and `/problems`, with every script, style and
//! icon they need.
//!
//! Owns their text, their addresses, their content security policy and how long they may be cached. Pages are data:
//! this module knows no HTTP framework, no configuration and no route table; whoever serves them turns [`Page`]s into
//! responses. Nothing here refers to another host, so the pages work on a machine without a network.

mod assets;
mod console;
mod docs;
mod home;
mod problems;
mod redoc;
mod robots;
mod swagger_ui;
mod template;

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may stop at the first surprise")]
mod tests;

use std::borrow::Cow;

use contract::{ErrorCode, problem};

/// One address and everything its response is made of.
#[derive(Debug, Clone)]
pub struct Page {
    /// The path, without a query. Names of scripts and styles contain the fingerprint of their content.
    pub path: Cow<'static, str>,
    pub content_type: &'static str,
    /// The value of `Content-Security-Policy`.
    pub csp: &'static str,
    /// The value of `Cache-Control`.
    pub cache_control: &'static str,
    /// A strong validator, quoted as the `ETag` header wants it: a `no-cache` page is then revalidated, not resent.
    pub etag: String,
    /// Borrowed for what is the same in every process, so that building the pages twice copies no megabytes.
    pub body: Cow<'static, [u8]>,
}

/// What the pages say about the server that shows them.
#[derive(Debug, Clone, Copy)]
pub struct PageInfo<'a> {
    pub version: &'a str,
    pub commit: &'a str,
    pub environment: &'a str,
    /// Email and password of the demo account. Ignored outside the environment `development`.
    pub demo_login: Option<(&'a str, &'a str)>,
    /// The contract versions with a document at `/openapi/{contract}.json`; the first is the one `/docs` opens with.
    pub contracts: &'a [&'a str],
}

impl<'a> PageInfo<'a> {
    /// The demo account, where it may be shown. A second lock: a credential that is passed in by mistake in production
    /// still does not end up on a public page.
    fn demo(&self) -> Option<(&'a str, &'a str)> {
        self.demo_login.filter(|_| self.environment == "development")
    }
}

/// A fingerprint in the name makes the content immutable; HTML is asked for again each time and names the current ones.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const REVALIDATE: &str = "no-cache";
const A_DAY: &str = "public, max-age=86400";

/// For what a page loads: it is never a document of its own.
const CSP_ASSET: &str = "default-src 'none'; frame-ancestors 'none'";
/// `form-action 'none'` is deliberate on both pages: if the script fails to load, the browser refuses to submit the log-in
/// form natively, which would put the password into the address bar and the access log.
const CSP_HOME: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// `data:` images are the icons inside Swagger UI's own style sheet.
const CSP_DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// As for `/docs`. Redoc writes its styles into an empty `<style>` through the object model, which needs no permission; the
/// empty element itself does, and one that it fills with the style of its scroll bars. Both are allowed by the hashes of
/// what is in them, nothing and that style: any other is refused.
const CSP_REDOC: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' \
     'sha256-sDI9pUw6Z98NC0sorERcD03vlQ8zZwyaBSQ06jerL4M='; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// As for `/docs`, without its icons.
const CSP_CONSOLE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For pages without a script.
const CSP_TEXT: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";

/// Every page and everything the pages load. Swagger UI and Redoc are extracted once per process, at the first
/// call.
pub fn pages(info: &PageInfo<'_>) -> Vec<Page> {
    let assets = assets::all();
    let mut pages = vec![
        page("/", HTML, CSP_HOME, REVALIDATE, home::html(info, assets)),
        page("/docs", HTML, CSP_DOCS, REVALIDATE, docs::html(info, assets)),
        page("/redoc", HTML, CSP_REDOC, REVALIDATE, redoc::html(info, assets)),
        page("/console", HTML, CSP_CONSOLE, REVALIDATE, console::html(info, assets)),
        page(problem::PAGES_PATH, HTML, CSP_TEXT, REVALIDATE, problems::index(info, assets)),
        page("/robots.txt", "text/plain; charset=utf-8", CSP_ASSET, A_DAY, robots::txt(info)),
    ];
    pages.extend(
        ErrorCode::ALL.iter().map(|code| {
            page(problem::page_path(*code), HTML, CSP_TEXT, REVALIDATE, problems::html(*code, info, assets))
        }),
    );
    pages.extend(assets.iter().map(|asset| Page {
        path: Cow::Borrowed(&asset.path),
        content_type: asset.content_type,
        csp: CSP_ASSET,
        cache_control: if asset.is_fingerprinted() { IMMUTABLE } else { A_DAY },
        etag: format!("\"{}\"", asset.fingerprint),
        body: Cow::Borrowed(asset.body.as_bytes()),
    }));
    pages
}

fn page(
    path: impl Into<Cow<'static, str>>,
    content_type: &'static str,
    csp: &'static str,
    cache_control: &'static str,
    text: String,
) -> Page {
    let etag = format!("\"{}\"", assets::fingerprint(text.as_bytes()));
    Page { path: path.into(), content_type, csp, cache_control, etag, body: Cow::Owned(text.into_bytes()) }
}
