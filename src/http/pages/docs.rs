//! `/docs`: Swagger UI over the served document, under a bar that logs in once for all operations.

use super::PageInfo;
use super::assets::{self, Asset};
use super::template::{escape_html, fill};

pub(super) fn html(info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let (email, password) = info.demo().unwrap_or(("", ""));
    let hint = if info.demo().is_some() { "The demo account is filled in." } else { "" };
    fill(
        include_str!("assets/docs.html"),
        &[
            ("site.css", assets::path(assets, "site.css")),
            ("swagger-ui.css", assets::path(assets, "swagger-ui.css")),
            ("docs.css", assets::path(assets, "docs.css")),
            ("swagger-ui.js", assets::path(assets, "swagger-ui.js")),
            ("docs.js", assets::path(assets, "docs.js")),
            ("version", &escape_html(info.version)),
            ("contracts", &escape_html(&info.contracts.join(" "))),
            ("chooser", &chooser("/docs", info.contracts)),
            ("documents", &documents(info.contracts)),
            ("email", &escape_html(email)),
            ("password", &escape_html(password)),
            ("hint", hint),
        ],
    )
}

/// Links rather than a `<select>`: each version of the documentation then has an address of its own. With one contract
/// there is nothing to choose.
pub(super) fn chooser(page: &str, contracts: &[&str]) -> String {
    if contracts.len() < 2 {
        return String::new();
    }
    let link = |contract: &&str| {
        let contract = escape_html(contract);
        format!("<a href=\"{page}?contract={contract}\" data-contract=\"{contract}\">{contract}</a>")
    };
    let links = contracts.iter().map(link).collect::<Vec<_>>().join(" ");
    format!("<nav class=\"chooser\" aria-label=\"Contract version\">{links}</nav>")
}

/// What is there without a script.
pub(super) fn documents(contracts: &[&str]) -> String {
    let link = |contract: &&str| {
        let contract = escape_html(contract);
        format!("<a href=\"/openapi/{contract}.json\">/openapi/{contract}.json</a>")
    };
    contracts.iter().map(link).collect::<Vec<_>>().join(" ")
}
