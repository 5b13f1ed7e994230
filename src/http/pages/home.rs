//! `/`: what this server is, how to start with it, and where everything is.

use super::PageInfo;
use super::assets::{self, Asset};
use super::template::{escape_html, escape_json_for_shell, fill};

pub(super) fn html(info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let (step_1_title, step_1_note, step_1_code) = first_step(info);
    fill(
        include_str!("assets/home.html"),
        &[
            ("site.css", assets::path(assets, "site.css")),
            ("home.js", assets::path(assets, "home.js")),
            ("version", &escape_html(info.version)),
            ("commit", &escape_html(&short(info.commit))),
            ("environment", &escape_html(info.environment)),
            ("contract", &escape_html(info.contracts.first().copied().unwrap_or("v1"))),
            ("step_1_title", step_1_title),
            ("step_1_note", &step_1_note),
            ("step_1_code", &escape_html(&step_1_code)),
            ("docs", &links("/docs", info.contracts)),
            ("redoc", &links("/redoc", info.contracts)),
            ("documents", &documents(info.contracts)),
        ],
    )
}

/// In development the demo account is there to log in with; elsewhere the first thing to do is to get an account.
fn first_step(info: &PageInfo<'_>) -> (&'static str, String, String) {
    const TOKEN: &str = r#"  | sed 's/.*"access_token": *"\([^"]*\)".*/\1/')"#;
    match info.demo() {
        Some((email, password)) => (
            "Log in",
            format!(
                "The demo account of this development server: <code>{}</code> with the password <code>{}</code>.",
                escape_html(email),
                escape_html(password)
            ),
            format!(
                "TOKEN=$(curl -s $API/v1/auth/login \\\n  --json '{{\"email\":\"{}\",\"password\":\"{}\"}}' \\\n{TOKEN}",
                escape_json_for_shell(email),
                escape_json_for_shell(password)
            ),
        ),
        None => (
            "Register",
            "Your own email and a password of at least 8 characters. Already registered? Post the same to \
             <code>/v1/auth/login</code>, without the name."
                .to_owned(),
            format!(
                "TOKEN=$(curl -s $API/v1/auth/register \\\n  --json '{{\"name\":\"Your name\",\"email\":\"you@example.com\",\
                 \"password\":\"choose a good one\"}}' \\\n{TOKEN}"
            ),
        ),
    }
}

/// A page of documentation: of the first contract, and of each other one by its own address.
fn links(page: &str, contracts: &[&str]) -> String {
    let link = |contract: &&str| {
        let contract = escape_html(contract);
        format!(" <a href=\"{page}?contract={contract}\">{page}?contract={contract}</a>")
    };
    let others: String = contracts.iter().skip(1).map(link).collect();
    format!("<a href=\"{page}\">{page}</a>{others}")
}

/// One line per contract: the document for machines in both spellings.
fn documents(contracts: &[&str]) -> String {
    let line = |contract: &&str| {
        let contract = escape_html(contract);
        format!(
            "<li><span>OpenAPI document, {contract}</span> <a href=\"/openapi/{contract}.json\">/openapi/{contract}.json</a> \
             <a href=\"/openapi/{contract}.yaml\">/openapi/{contract}.yaml</a> and as OpenAPI 3.1 \
             <a href=\"/openapi/{contract}-3.1.json\">/openapi/{contract}-3.1.json</a></li>"
        )
    };
    contracts.iter().map(line).collect::<Vec<_>>().join("\n          ")
}

/// A commit as `git log --oneline` shows it.
fn short(commit: &str) -> String {
    commit.chars().take(10).collect()
}
