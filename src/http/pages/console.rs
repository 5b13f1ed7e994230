//! `/console`: a page per section for administrators. The pages contain no data; their scripts use the API.

use super::PageInfo;
use super::assets::{self, Asset, SCRIPT, STYLE, fingerprinted};
use super::layout;
use super::template::fill;

/// A page of the console.
pub(super) struct Section {
    pub(super) path: &'static str,
    /// The title, and the text of its link.
    title: &'static str,
    /// The content of the page.
    html: &'static str,
    /// The name and the text of its script.
    script: (&'static str, &'static str),
}

macro_rules! sections {
    ($($path:literal $title:literal $name:literal;)*) => {
        /// Every section, in the order of the navigation.
        pub(super) const SECTIONS: &[Section] = &[$(Section {
            path: $path,
            title: $title,
            html: include_str!(concat!("assets/console/", $name, ".html")),
            script: (concat!("console-", $name, ".js"), include_str!(concat!("assets/console/", $name, ".js"))),
        }),*];
    };
}

sections! {
    "/console" "Overview" "overview";
    "/console/usage" "Usage" "usage";
    "/console/incidents" "Incidents" "incidents";
    "/console/users" "Users" "users";
    "/console/api-clients" "API clients" "api-clients";
    "/console/jobs" "Jobs" "jobs";
    "/console/audit" "Audit" "audit";
}

/// Returns the scripts and the style of the console.
pub(super) fn assets() -> Vec<Asset> {
    let shared = [
        ("console.css", STYLE, include_str!("assets/console/console.css")),
        ("console.js", SCRIPT, include_str!("assets/console/console.js")),
        ("console-list.js", SCRIPT, include_str!("assets/console/list.js")),
        ("console-chart.js", SCRIPT, include_str!("assets/console/chart.js")),
    ];
    let sections = SECTIONS.iter().map(|section| (section.script.0, SCRIPT, section.script.1));
    let all = shared.into_iter().chain(sections);
    all.map(|(name, content_type, text)| fingerprinted("/console", name, content_type, text.as_bytes())).collect()
}

pub(super) fn html(section: &Section, info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let link = |other: &Section| {
        let current = if other.path == section.path { " aria-current=\"page\"" } else { "" };
        format!("<a href=\"{}\"{current}>{}</a>", other.path, other.title)
    };
    let links: Vec<String> = SECTIONS.iter().map(link).collect();
    fill(
        include_str!("assets/console/console.html"),
        &[
            ("head", &layout::head(assets)),
            ("header", &layout::header(info, section.path, include_str!("assets/session.html").trim_end())),
            ("title", section.title),
            ("sections", &links.join("\n      ")),
            ("content", section.html.trim_end()),
            ("console.css", assets::path(assets, "console.css")),
            ("page.js", assets::path(assets, "page.js")),
            ("session.js", assets::path(assets, "session.js")),
            ("console.js", assets::path(assets, "console.js")),
            ("list.js", assets::path(assets, "console-list.js")),
            ("chart.js", assets::path(assets, "console-chart.js")),
            ("section.js", assets::path(assets, section.script.0)),
        ],
    )
}
