//! `/console`: the incident console for administrators. The page contains no data; its script uses the API.

use super::PageInfo;
use super::assets::{self, Asset};
use super::template::{escape_html, fill};

pub(super) fn html(info: &PageInfo<'_>, assets: &[Asset]) -> String {
    fill(
        include_str!("assets/console.html"),
        &[
            ("site.css", assets::path(assets, "site.css")),
            ("docs.css", assets::path(assets, "docs.css")),
            ("console.css", assets::path(assets, "console.css")),
            ("console.js", assets::path(assets, "console.js")),
            ("version", &escape_html(info.version)),
        ],
    )
}
