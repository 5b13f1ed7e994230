//! `/redoc`: the reference documentation.
//!
//! The script of Redoc is extracted from a page of poem-openapi, as for Swagger UI ([`super::swagger_ui`]). That page
//! loads fonts from another host; this one uses system fonts.

use std::sync::LazyLock;

use poem_openapi::OpenApiService;

use super::{
    PageInfo,
    assets::{self, Asset},
    docs, layout,
    swagger_ui::{content_of, first_script},
    template::{escape_html, fill},
};

static HTML: LazyLock<String> = LazyLock::new(|| OpenApiService::new((), "", "").redoc_html());

/// Returns the script; empty if the structure of the page has changed, in which case `/redoc` displays an error.
pub(super) fn script() -> &'static str {
    content_of("head", &HTML).and_then(first_script).unwrap_or_default()
}

const PATH: &str = "/redoc";

pub(super) fn html(info: &PageInfo<'_>, assets: &[Asset]) -> String {
    fill(
        include_str!("assets/redoc.html"),
        &[
            ("head", &layout::head(assets)),
            ("header", &layout::header(info, PATH, "")),
            ("docs.css", assets::path(assets, "docs.css")),
            ("redoc.css", assets::path(assets, "redoc.css")),
            ("page.js", assets::path(assets, "page.js")),
            ("redoc.js", assets::path(assets, "redoc.js")),
            ("redoc-bundle.js", assets::path(assets, "redoc-bundle.js")),
            ("contracts", &escape_html(&info.contracts.join(" "))),
            ("chooser", &docs::chooser(PATH, info.contracts)),
            ("documents", &docs::documents(info.contracts)),
        ],
    )
}
