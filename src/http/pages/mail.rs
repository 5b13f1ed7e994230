//! `/console/mail`: every message with sample data, as text and as HTML. In development only.

use super::{
    HTML, MailPreview, Page, PageInfo, REVALIDATE,
    assets::{self, Asset},
    console, layout, page,
    template::{escape_html, fill},
};

/// The path of the page; those of the HTML parts are below it.
pub(super) const PATH: &str = "/console/mail";

/// For the page, which displays the HTML parts in frames.
const CSP_PREVIEWS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For an HTML part. Its style sheet is allowed by the hash of its content; nothing else is.
const CSP_MESSAGE: &str = "default-src 'none'; style-src 'sha256-LNxzXC0IqHmRRAjJgz4qL72FqnGW3TNvxnPmhjXNVa4='; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// Returns the page and the HTML parts; nothing outside of development.
pub(super) fn pages(info: &PageInfo<'_>, assets: &[Asset]) -> Vec<Page> {
    if !is_served(info) {
        return Vec::new();
    }
    let parts = info.mails.iter().map(|mail| page(part_path(mail), HTML, CSP_MESSAGE, REVALIDATE, mail.html.clone()));
    let mut pages: Vec<Page> = parts.collect();
    pages.push(page(PATH, HTML, CSP_PREVIEWS, REVALIDATE, html(info, assets)));
    pages
}

/// Whether the page exists.
pub(super) fn is_served(info: &PageInfo<'_>) -> bool {
    info.environment == "development" && !info.mails.is_empty()
}

fn part_path(mail: &MailPreview) -> String {
    format!("{PATH}/{}", mail.name)
}

fn html(info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let sections: Vec<String> = info.mails.iter().map(section).collect();
    fill(
        include_str!("assets/mail.html"),
        &[
            ("head", &layout::head(assets)),
            ("header", &layout::header(info, PATH, "")),
            ("sections", &console::links(PATH, info)),
            ("console.css", assets::path(assets, "console.css")),
            ("mail.css", assets::path(assets, "mail.css")),
            ("delivery", &delivery(info)),
            ("contents", &contents(info)),
            ("mails", &sections.join("\n    ")),
        ],
    )
}

/// Returns where sent mail goes.
fn delivery(info: &PageInfo<'_>) -> String {
    match info.mail_dir {
        Some(directory) => format!(
            "Sent messages are written to files in <code>{}</code>, because <code>SMTP_URL</code> is not set.",
            escape_html(directory)
        ),
        None => "Sent messages are delivered by the mail server of <code>SMTP_URL</code>.".to_owned(),
    }
}

/// Returns links to the messages.
fn contents(info: &PageInfo<'_>) -> String {
    let link = |mail: &MailPreview| format!("<li><a href=\"#{0}\">{0}</a></li>", mail.name);
    info.mails.iter().map(link).collect::<Vec<_>>().join("\n        ")
}

fn section(mail: &MailPreview) -> String {
    let (name, subject, path) = (mail.name, escape_html(&mail.subject), part_path(mail));
    format!(
        "<h2 id=\"{name}\">{subject}</h2>\n      \
         <div class=\"parts\">\n        \
         <pre tabindex=\"0\" role=\"region\" aria-label=\"Text of {name}\">{}</pre>\n        \
         <iframe src=\"{path}\" title=\"HTML of {name}\" sandbox></iframe>\n      </div>\n      \
         <p><a href=\"{path}\" aria-label=\"Open the HTML part of {name}\">Open the HTML part</a></p>",
        escape_html(&mail.text)
    )
}
