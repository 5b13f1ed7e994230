//! `/`: the landing page with an overview, a quick start and links.

use std::collections::BTreeMap;

use super::PageInfo;
use super::assets::{self, Asset};
use super::layout;
use super::reference;
use super::template::{escape_html, escape_json_for_shell, fill};

pub(super) fn html(info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let (step_1_title, step_1_note, step_1_code) = first_step(info);
    fill(
        include_str!("assets/home.html"),
        &[
            ("head", &layout::head(assets)),
            ("header", &layout::header(info, "/", "")),
            ("home.js", assets::path(assets, "home.js")),
            ("version", &escape_html(info.version)),
            ("commit", &escape_html(&short(info.commit))),
            ("environment", &escape_html(info.environment)),
            ("contract", &escape_html(current(info))),
            ("step_1_title", step_1_title),
            ("step_1_note", &step_1_note),
            ("step_1_code", &escape_html(&step_1_code)),
            ("docs", &links("/docs", info.contracts)),
            ("reference", &references(info.contracts)),
            ("documents", &documents(info.contracts)),
            ("versions", &versions(info)),
            ("administrator", &administrator(info)),
        ],
    )
}

/// Returns the API version of the quick start.
fn current<'a>(info: &PageInfo<'a>) -> &'a str {
    info.contracts.first().copied().unwrap_or("v2")
}

/// Returns title, note and commands of the first step: log in with the demo account in development, register elsewhere.
fn first_step(info: &PageInfo<'_>) -> (&'static str, String, String) {
    const TOKEN: &str = r#"  | sed 's/.*"access_token": *"\([^"]*\)".*/\1/')"#;
    let (base, contract) = (info.base_path, current(info));
    match info.demo() {
        Some((email, password)) => (
            "Log in",
            format!(
                "Use the demo account: <code>{}</code>, password <code>{}</code>. It exists only in development.",
                escape_html(email),
                escape_html(password)
            ),
            format!(
                "TOKEN=$(curl -s \"$BASE_URL/{contract}/auth/login\" \\\n  --json '{{\"email\":\"{}\",\"password\":\"{}\"}}' \\\n{TOKEN}",
                escape_json_for_shell(email),
                escape_json_for_shell(password)
            ),
        ),
        None => (
            "Register",
            format!(
                "Use your email address and a password of at least 8 characters. If you have an account, send the same \
                 request to <code>{base}/{contract}/auth/login</code> without the name."
            ),
            format!(
                "TOKEN=$(curl -s \"$BASE_URL/{contract}/auth/register\" \\\n  --json '{{\"name\":\"Your name\",\"email\":\"you@example.com\",\
                 \"password\":\"a strong password\"}}' \\\n{TOKEN}"
            ),
        ),
    }
}

/// Returns the login of the administrator, in development.
fn administrator(info: &PageInfo<'_>) -> String {
    info.admin().map_or_else(String::new, |(email, password)| {
        format!(
            "<li><span>Administrator of the console: <code>{}</code>, password <code>{}</code>. Exists only in development.</span></li>",
            escape_html(email),
            escape_html(password)
        )
    })
}

/// Returns each API version with its state and the dates of its deprecated operations.
fn versions(info: &PageInfo<'_>) -> String {
    let newest = current(info);
    let line = |contract: &&str| {
        let path = escape_html(&reference::version_path(contract));
        let state = if *contract == newest { "Current." } else { "Supported." };
        let dates = deprecations(info, contract);
        format!("<div><dt><a href=\"{path}\">{}</a></dt><dd>{state}{dates}</dd></div>", escape_html(contract))
    };
    info.contracts.iter().map(line).collect::<Vec<_>>().join("\n        ")
}

/// Returns the deprecated operations of a version by their dates.
fn deprecations(info: &PageInfo<'_>, contract: &str) -> String {
    let mut by_dates: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for deprecated in info.deprecations.iter().filter(|deprecated| deprecated.version == contract) {
        by_dates.entry((&deprecated.since, &deprecated.sunset)).or_default().push(deprecated.operation);
    }
    let text: String = by_dates
        .into_iter()
        .map(|((since, sunset), operations)| {
            let names: Vec<String> =
                operations.iter().map(|name| format!("<code>{}</code>", escape_html(name))).collect();
            let subject = match names.len() {
                1 => "One operation is".to_owned(),
                count => format!("{} operations are", in_words(count)),
            };
            format!(
                " {subject} deprecated since <time>{}</time> and will be removed on <time>{}</time>: {}.",
                escape_html(since),
                escape_html(sunset),
                names.join(", ")
            )
        })
        .collect();
    if text.is_empty() {
        return text;
    }
    format!(
        "{text} <a href=\"/guides/migrating-to-v2\">Migrate</a>, or see the \
         <a href=\"/console/usage?version={contract}&amp;group_by=consumer\">consumers of {contract}</a> (administrators)."
    )
}

/// Returns a number at the start of a sentence: a word up to nine.
fn in_words(count: usize) -> String {
    const WORDS: [&str; 10] = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"];
    WORDS.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

/// Returns links to a documentation page for each API version. The first version needs no parameter.
fn links(page: &str, contracts: &[&str]) -> String {
    let link = |contract: &&str| {
        let contract = escape_html(contract);
        format!(" <a href=\"{page}?contract={contract}\">{page}?contract={contract}</a>")
    };
    let others: String = contracts.iter().skip(1).map(link).collect();
    format!("<a href=\"{page}\">{page}</a>{others}")
}

/// Returns links to the reference of each API version.
fn references(contracts: &[&str]) -> String {
    let link = |contract: &&str| {
        let path = escape_html(&reference::version_path(contract));
        format!("<a href=\"{path}\">{path}</a>")
    };
    contracts.iter().map(link).collect::<Vec<_>>().join(" ")
}

/// Returns a list item with links to the OpenAPI documents of each API version.
fn documents(contracts: &[&str]) -> String {
    let line = |contract: &&str| {
        let contract = escape_html(contract);
        format!(
            "<li><span>OpenAPI document of {contract}</span> <a href=\"/openapi/{contract}.json\">/openapi/{contract}.json</a> \
             <a href=\"/openapi/{contract}.yaml\">/openapi/{contract}.yaml</a> and, as OpenAPI 3.1, \
             <a href=\"/openapi/{contract}-3.1.json\">/openapi/{contract}-3.1.json</a></li>"
        )
    };
    contracts.iter().map(line).collect::<Vec<_>>().join("\n            ")
}

/// Returns an abbreviated commit hash.
fn short(commit: &str) -> String {
    commit.chars().take(10).collect()
}
