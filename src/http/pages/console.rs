//! `/console`: a page per section for administrators. The pages contain no data; their scripts use the API.

use super::assets::{self, Asset, SCRIPT, STYLE, fingerprinted};
use super::layout;
use super::mail;
use super::template::{escape_html, escape_json_for_shell, fill};
use super::{HTML_ADDRESS, PageInfo};

/// A page of the console.
pub(super) struct Section {
    pub(super) path: &'static str,
    /// The title, and the text of its link.
    title: &'static str,
    /// The key that follows `g` in the shortcut that opens the page.
    key: char,
    /// The content of the page.
    html: &'static str,
    /// The names and the texts of its scripts, in order.
    scripts: &'static [(&'static str, &'static str)],
}

macro_rules! sections {
    ($($path:literal $title:literal $key:literal $name:literal: $($script:literal)+;)*) => {
        /// Every section, in the order of the navigation.
        pub(super) const SECTIONS: &[Section] = &[$(Section {
            path: $path,
            title: $title,
            key: $key,
            html: include_str!(concat!("assets/console/", $name, ".html")),
            scripts: &[$((
                concat!("console-", $script, ".js"),
                include_str!(concat!("assets/console/", $script, ".js")),
            )),+],
        }),*];
    };
}

sections! {
    "/console" "Overview" 'o' "overview": "overview";
    "/console/usage" "Usage" 'u' "usage": "usage";
    "/console/incidents" "Incidents" 'i' "incidents": "message" "incidents" "incident";
    "/console/users" "Users" 's' "users": "users";
    "/console/api-clients" "API clients" 'c' "api-clients": "api-clients";
    "/console/jobs" "Jobs" 'j' "jobs": "jobs";
    "/console/exports" "Exports" 'e' "exports": "exports";
    "/console/audit" "Audit" 'a' "audit": "audit";
}

/// Scripts of all sections, in order.
const SHARED: &[(&str, &str)] = &[
    ("console.js", include_str!("assets/console/console.js")),
    ("console-list.js", include_str!("assets/console/list.js")),
    ("console-chart.js", include_str!("assets/console/chart.js")),
    ("console-shortcuts.js", include_str!("assets/console/shortcuts.js")),
];

/// Returns the scripts and the style of the console.
pub(super) fn assets() -> Vec<Asset> {
    let style = ("console.css", STYLE, include_str!("assets/console/console.css"));
    let scripts = SHARED.iter().chain(SECTIONS.iter().flat_map(|section| section.scripts));
    let all = std::iter::once(style).chain(scripts.map(|(name, text)| (*name, SCRIPT, *text)));
    all.map(|(name, content_type, text)| fingerprinted("/console", name, content_type, text.as_bytes())).collect()
}

/// Returns the links of the navigation; `current` is the path of the page.
pub(super) fn links(current: &str, info: &PageInfo<'_>) -> String {
    let mark = |path: &str| if path == current { " aria-current=\"page\"" } else { "" };
    let link = |section: &Section| {
        let Section { path, key, title, .. } = section;
        format!("<a href=\"{path}\" data-key=\"{key}\"{}>{title}</a>", mark(path))
    };
    let mut links: Vec<String> = SECTIONS.iter().map(link).collect();
    if mail::is_served(info) {
        links.push(format!(
            "<a href=\"{}\" data-key=\"m\" data-page{}>Mail templates</a>",
            mail::PATH,
            mark(mail::PATH)
        ));
    }
    links.join("\n      ")
}

pub(super) fn html(section: &Section, info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let scripts = SHARED.iter().chain(section.scripts).map(|(name, _)| *name);
    let scripts = ["page.js", "session.js"].into_iter().chain(scripts);
    let scripts: Vec<String> =
        scripts.map(|name| format!("<script src=\"{}\" defer></script>", assets::path(assets, name))).collect();
    let captures = escape_html(info.captures);
    let (email, password) = info.admin().unwrap_or(("", ""));
    let (login, command_email, command_password) = match info.admin() {
        Some((email, password)) => ("The command logs in as the administrator of the sample data.", email, password),
        None => ("Replace the email address and the password with those of an administrator.", "EMAIL", "PASSWORD"),
    };
    let content = fill(
        section.html.trim_end(),
        &[
            ("captures", &captures),
            ("address", HTML_ADDRESS),
            ("login", login),
            ("email", &escape_html(&escape_json_for_shell(command_email))),
            ("password", &escape_html(&escape_json_for_shell(command_password))),
        ],
    );
    let hint = if info.admin().is_some() {
        "<p class=\"note\">The administrator of the sample data is filled in.</p>"
    } else {
        ""
    };
    fill(
        include_str!("assets/console/console.html"),
        &[
            ("email", &escape_html(email)),
            ("password", &escape_html(password)),
            ("hint", hint),
            ("head", &layout::head(assets)),
            ("header", &layout::header(info, section.path, include_str!("assets/session.html").trim_end())),
            ("title", section.title),
            ("sections", &links(section.path, info)),
            ("captures", &captures),
            ("content", &content),
            ("console.css", assets::path(assets, "console.css")),
            ("scripts", &scripts.join("\n  ")),
        ],
    )
}
