//! The parts that all pages have in common: the head and the header with the navigation.

use super::PageInfo;
use super::assets::{self, Asset};
use super::template::{escape_html, fill};

/// The links of the navigation: path and text.
const LINKS: [(&str, &str); 5] = [
    ("/docs", "Try it"),
    ("/reference", "Reference"),
    ("/guides", "Guides"),
    ("/problems", "Error codes"),
    ("/console", "Console"),
];

/// Returns the beginning of `<head>`: encoding, icons, common style and color scheme.
pub(super) fn head(assets: &[Asset]) -> String {
    fill(
        include_str!("assets/head.html").trim_end(),
        &[("site.css", assets::path(assets, "site.css")), ("theme.js", assets::path(assets, "theme.js"))],
    )
}

/// Returns the header of the page at `path`. `tools` is HTML for the right side, such as the session.
pub(super) fn header(info: &PageInfo<'_>, path: &str, tools: &str) -> String {
    let link = |(target, text): (&str, &str)| {
        let is_section = path.strip_prefix(target).is_some_and(|rest| rest.starts_with('/'));
        let current = match path == target {
            true => " aria-current=\"page\"",
            false if is_section => " aria-current=\"true\"",
            false => "",
        };
        format!("<a href=\"{target}\"{current}>{text}</a>")
    };
    let links = LINKS.map(link).join("\n        ");
    fill(
        include_str!("assets/header.html").trim_end(),
        &[
            ("home_current", if path == "/" { " aria-current=\"page\"" } else { "" }),
            ("version", &escape_html(info.version)),
            ("links", &links),
            ("tools", tools),
        ],
    )
}
