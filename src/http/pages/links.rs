//! Adds the base path to the links of pages.
//!
//! Templates and scripts contain paths from the root of the server. In HTML, the base path is added to attributes that are a path, and to
//! the text of a link that repeats its path; in Markdown, to the destinations of links. Scripts read it from `data-base-path`.

use std::borrow::Cow;

use super::{HTML, MARKDOWN, Page, etag_of};

/// Adds the base path to the links of a page in HTML or Markdown.
pub(super) fn add_base_path(page: &mut Page, base_path: &str) {
    let add = match page.content_type {
        HTML => with_base_path,
        MARKDOWN => markdown_with_base_path,
        _ => return,
    };
    if base_path.is_empty() {
        return;
    }
    let text = add(&String::from_utf8_lossy(&page.body), base_path);
    page.etag = etag_of(&text);
    page.body = Cow::Owned(text.into_bytes());
}

/// `//` begins another host.
fn markdown_with_base_path(markdown: &str, base_path: &str) -> String {
    markdown.replace("](/", &format!("]({base_path}/")).replace(&format!("]({base_path}//"), "](//")
}

/// Values are escaped, so that `<` and `>` occur only around tags.
fn with_base_path(html: &str, base_path: &str) -> String {
    let mut text = String::with_capacity(html.len() + html.len() / 8);
    let mut parts = html.split("=\"/");
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        text.push_str("=\"");
        // `//` begins another host. In the text of a page, such as a command, the path is not a link.
        let is_attribute = text.rfind('<') > text.rfind('>');
        if !is_attribute || part.starts_with('/') {
            text.push('/');
            text.push_str(part);
            continue;
        }
        text.push_str(base_path);
        text.push('/');
        let path = part.split('"').next().unwrap_or_default();
        match part.split_once(&format!("\">/{path}<")) {
            Some((attribute, rest)) if attribute == path => {
                text.push_str(&format!("{path}\">{base_path}/{path}<"));
                text.push_str(rest);
            }
            _ => text.push_str(part),
        }
    }
    text.replacen("<html ", &format!("<html data-base-path=\"{base_path}\" "), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_markdown_get_the_base_path() {
        let text = "[Guides](/guides) `/guides` [x](//other.example/) [y](https://other.example/)";
        let expected = "[Guides](/api/guides) `/guides` [x](//other.example/) [y](https://other.example/)";
        assert_eq!(markdown_with_base_path(text, "/api"), expected);
    }

    #[test]
    fn attributes_and_texts_that_are_paths_get_the_base_path() {
        for (html, expected) in [
            (r#"<html lang="en">"#, r#"<html data-base-path="/api" lang="en">"#),
            (r#"<a href="/">Home</a>"#, r#"<a href="/api/">Home</a>"#),
            (r#"<a href="/docs">/docs</a> /docs"#, r#"<a href="/api/docs">/api/docs</a> /docs"#),
            (
                r#"<a href="/docs?contract=v1">/docs?contract=v1</a>"#,
                r#"<a href="/api/docs?contract=v1">/api/docs?contract=v1</a>"#,
            ),
            (
                r#"<a href="/docs">/documents</a><a href="/docs">/docs</a>"#,
                r#"<a href="/api/docs">/documents</a><a href="/api/docs">/api/docs</a>"#,
            ),
            (r#"<a href="/docs" aria-current="page">Docs</a>"#, r#"<a href="/api/docs" aria-current="page">Docs</a>"#),
            (
                r##"<script src="/a.js" data-x="/b.js"></script><a href="#top">"##,
                r##"<script src="/api/a.js" data-x="/api/b.js"></script><a href="#top">"##,
            ),
            (r#"<pre>PAGE="/v2"</pre><a href="/docs">x</a>"#, r#"<pre>PAGE="/v2"</pre><a href="/api/docs">x</a>"#),
            (r#"<a href="//other.example/">x</a>"#, r#"<a href="//other.example/">x</a>"#),
            (
                r#"<code>&quot;type&quot;: &quot;/problems&quot;</code>"#,
                r#"<code>&quot;type&quot;: &quot;/problems&quot;</code>"#,
            ),
        ] {
            assert_eq!(with_base_path(html, "/api"), expected);
        }
    }
}
