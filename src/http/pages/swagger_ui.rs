//! Swagger UI's script and style, taken out of the page that poem-openapi makes.
//!
//! poem-openapi carries the files privately and only hands out one HTML page with both inline, which a content security
//! policy without `unsafe-inline` refuses to run. Taking them from there keeps one copy in the binary, at the version
//! that `Cargo.lock` names. A unit test fails when an upgrade changes that page's shape.

use std::sync::LazyLock;

use poem_openapi::OpenApiService;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SwaggerUi {
    pub(super) style: &'static str,
    pub(super) script: &'static str,
}

static HTML: LazyLock<String> = LazyLock::new(|| OpenApiService::new((), "", "").swagger_ui_html());

/// Both parts, empty if the page has changed its shape (`/docs` then says that it cannot start).
pub(super) fn extracted() -> SwaggerUi {
    find(&HTML).unwrap_or(SwaggerUi { style: "", script: "" })
}

/// The first `<style>`, and the first `<script>` behind it.
///
/// The style is looked for from the front and the end of the script from the back, so that the megabyte between is not
/// searched: the page ends with a second, short script that starts Swagger UI.
pub(super) fn find(html: &'static str) -> Option<SwaggerUi> {
    let (style, rest) = content_of("style", html)?.split_once("</style>")?;
    Some(SwaggerUi { style, script: first_script(rest)? })
}

/// The first script of a page whose last one is short.
pub(super) fn first_script(html: &str) -> Option<&str> {
    Some(content_of("script", html)?.rsplit_once("<script")?.0.rsplit_once("</script>")?.0)
}

/// Everything behind the first opening tag of that name.
pub(super) fn content_of<'a>(name: &str, html: &'a str) -> Option<&'a str> {
    let (_, from_name) = html.split_once(&format!("<{name}"))?;
    let (_, content) = from_name.split_once('>')?;
    Some(content)
}
