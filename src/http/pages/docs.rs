//! `/docs`: Swagger UI with one login for all operations.

use super::PageInfo;
use super::assets::{self, Asset};
use super::layout;
use super::template::{escape_html, fill};

const PATH: &str = "/docs";

pub(super) fn html(info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let (email, password) = info.demo().unwrap_or(("", ""));
    let hint = if info.demo().is_some() { "The demo account is prefilled." } else { "" };
    fill(
        include_str!("assets/docs.html"),
        &[
            ("head", &layout::head(assets)),
            ("header", &layout::header(info, PATH, include_str!("assets/session.html").trim_end())),
            ("docs.css", assets::path(assets, "docs.css")),
            ("page.js", assets::path(assets, "page.js")),
            ("session.js", assets::path(assets, "session.js")),
            ("docs-overlay.js", assets::path(assets, "docs-overlay.js")),
            ("docs-history.js", assets::path(assets, "docs-history.js")),
            ("docs.js", assets::path(assets, "docs.js")),
            ("swagger-ui.css", assets::path(assets, "swagger-ui.css")),
            ("swagger-ui.js", assets::path(assets, "swagger-ui.js")),
            ("contracts", &escape_html(&info.contracts.join(" "))),
            ("chooser", &chooser(PATH, info.contracts)),
            ("documents", &documents(info.contracts)),
            ("email", &escape_html(email)),
            ("password", &escape_html(password)),
            ("hint", hint),
        ],
    )
}

/// Returns links to the API versions; empty if there is only one. Links, unlike a `<select>`, give each version a URL.
pub(super) fn chooser(page: &str, contracts: &[&str]) -> String {
    if contracts.len() < 2 {
        return String::new();
    }
    let link = |contract: &&str| {
        let contract = escape_html(contract);
        format!("<a href=\"{page}?contract={contract}\" data-contract=\"{contract}\">{contract}</a>")
    };
    let links = contracts.iter().map(link).collect::<Vec<_>>().join(" ");
    format!("<nav class=\"chooser\" aria-label=\"API version\">{links}</nav>")
}

/// Returns links to the OpenAPI documents, for browsers without JavaScript.
pub(super) fn documents(contracts: &[&str]) -> String {
    let link = |contract: &&str| {
        let contract = escape_html(contract);
        format!("<a href=\"/openapi/{contract}.json\">/openapi/{contract}.json</a>")
    };
    contracts.iter().map(link).collect::<Vec<_>>().join(" ")
}
