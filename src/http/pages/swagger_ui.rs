//! The script and style of Swagger UI, extracted from a page of poem-openapi.
//!
//! poem-openapi returns only an HTML page with both inline, which a content security policy without `unsafe-inline` blocks.
//! Extracting them keeps one copy in the binary, at the version in `Cargo.lock`. A unit test fails if an upgrade changes the
//! structure of the page.

use std::sync::LazyLock;

use poem_openapi::OpenApiService;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SwaggerUi {
    pub(super) style: &'static str,
    pub(super) script: &'static str,
}

static HTML: LazyLock<String> = LazyLock::new(|| OpenApiService::new((), "", "").swagger_ui_html());

/// Returns both; empty if the structure of the page has changed, in which case `/docs` displays an error.
pub(super) fn extracted() -> SwaggerUi {
    find(&HTML).unwrap_or(SwaggerUi { style: "", script: "" })
}

/// Finds the first `<style>` and the first `<script>` after it.
///
/// The end of the script is searched backwards to avoid a search of the whole script: the page ends with a second, short script
/// that starts Swagger UI.
pub(super) fn find(html: &'static str) -> Option<SwaggerUi> {
    let (style, rest) = content_of("style", html)?.split_once("</style>")?;
    Some(SwaggerUi { style, script: first_script(rest)? })
}

/// Returns the first script of a page. Efficient if the last script is short.
pub(super) fn first_script(html: &str) -> Option<&str> {
    Some(content_of("script", html)?.rsplit_once("<script")?.0.rsplit_once("</script>")?.0)
}

/// Returns everything after the first opening tag with this name.
pub(super) fn content_of<'a>(name: &str, html: &'a str) -> Option<&'a str> {
    let (_, from_name) = html.split_once(&format!("<{name}"))?;
    let (_, content) = from_name.split_once('>')?;
    Some(content)
}
