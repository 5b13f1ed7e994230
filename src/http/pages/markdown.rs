//! Markdown to HTML, for descriptions in the OpenAPI documents and for the guides.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html::push_html};

/// Converts a description to HTML. HTML in the text is escaped.
pub(super) fn html(text: &str) -> String {
    let mut html = String::new();
    push_html(&mut html, Parser::new(text).map(without_html));
    html
}

/// A page in Markdown.
pub(super) struct MarkdownPage {
    /// The first heading.
    pub(super) title: String,
    /// The text without the first heading.
    pub(super) html: String,
    /// The text before the first section, as plain text.
    pub(super) introduction: String,
    pub(super) sections: Vec<MarkdownSection>,
}

/// A section with a heading of the second level.
pub(super) struct MarkdownSection {
    pub(super) id: String,
    /// The text of the heading.
    pub(super) title: String,
    /// The code in its text and in its code blocks, such as the names of headers and parameters.
    pub(super) terms: String,
    /// The text, including its code and its code blocks, as plain text.
    pub(super) text: String,
}

/// Replaces links whose target is not accepted by their text.
pub(super) fn with_links(text: &str, is_accepted: &dyn Fn(&str) -> bool) -> String {
    let mut result = String::with_capacity(text.len());
    let mut position = 0;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. }) = event else { continue };
        let link = text.get(range.clone()).unwrap_or_default();
        let Some(label) = link.rfind("](").and_then(|end| link.get(1..end)) else { continue };
        if !is_accepted(&dest_url) {
            result.push_str(text.get(position..range.start).unwrap_or_default());
            result.push_str(label);
            position = range.end;
        }
    }
    result.push_str(text.get(position..).unwrap_or_default());
    result
}

/// Converts a page to HTML. `link` converts the target of each link; `None` removes the link. Code blocks can be focused, because they can
/// scroll.
pub(super) fn page(text: &str, link: &dyn Fn(&str) -> Option<String>) -> MarkdownPage {
    let events: Vec<Event<'_>> = Parser::new_ext(text, Options::ENABLE_TABLES).map(without_html).collect();
    let mut page =
        MarkdownPage { title: String::new(), html: String::new(), introduction: String::new(), sections: Vec::new() };
    let mut converted: Vec<Event<'_>> = Vec::with_capacity(events.len());
    let mut heading: Option<(HeadingLevel, usize)> = None;
    let mut is_removed = Vec::new();
    let (mut blocks, mut tables) = (0, 0);
    let mut is_code_block = false;
    for event in events {
        match event {
            Event::Start(Tag::Heading { level, .. }) => heading = Some((level, converted.len())),
            Event::End(TagEnd::Heading(_)) => {
                let Some((level, start)) = heading.take() else { continue };
                let content: Vec<Event<'_>> = converted.drain(start..).collect();
                let words: String = content.iter().filter_map(plain_text).collect();
                if level == HeadingLevel::H1 && page.title.is_empty() {
                    page.title = words;
                    continue;
                }
                let id = slug(&words);
                let tag = level.to_string();
                if level == HeadingLevel::H2 {
                    let (terms, text) = (String::new(), String::new());
                    page.sections.push(MarkdownSection { id: id.clone(), title: words, terms, text });
                } else {
                    append_text(&mut page, &format!("{words} "));
                }
                converted.push(Event::Html(format!("<{tag} id=\"{id}\">").into()));
                converted.extend(content);
                converted.push(Event::Html(format!("</{tag}>\n").into()));
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let target = link(&dest_url);
                is_removed.push(target.is_none());
                if let Some(target) = target {
                    converted.push(Event::Start(Tag::Link { link_type, dest_url: target.into(), title, id }));
                }
            }
            Event::End(TagEnd::Link) => {
                if is_removed.pop() == Some(false) {
                    converted.push(Event::End(TagEnd::Link));
                }
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                blocks += 1;
                is_code_block = true;
                converted.push(Event::Html(code_block_start(&kind, blocks).into()));
            }
            Event::End(TagEnd::CodeBlock) => {
                is_code_block = false;
                converted.push(Event::Html("</code></pre>\n".into()));
            }
            Event::Start(Tag::Table(alignment)) => {
                tables += 1;
                let start =
                    format!("<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"Table {tables}\">");
                converted.push(Event::Html(start.into()));
                converted.push(Event::Start(Tag::Table(alignment)));
            }
            Event::End(TagEnd::Table) => {
                converted.push(Event::End(TagEnd::Table));
                converted.push(Event::Html("</div>\n".into()));
            }
            other => {
                let is_code = is_code_block || matches!(other, Event::Code(_));
                if let (true, Some(words), Some(section)) = (is_code, plain_text(&other), page.sections.last_mut()) {
                    section.terms.push_str(words.trim_end());
                    section.terms.push(' ');
                }
                match plain_text(&other) {
                    // The text of a heading is in the title of its section.
                    Some(words) if heading.is_none() => append_text(&mut page, words),
                    None if !matches!(other, Event::Start(_)) => append_text(&mut page, " "),
                    _ => {}
                }
                converted.push(other);
            }
        }
    }
    push_html(&mut page.html, converted.into_iter());
    page
}

/// Appends to the text of the last section, or to the introduction. Whitespace becomes single spaces.
fn append_text(page: &mut MarkdownPage, words: &str) {
    let text = page.sections.last_mut().map_or(&mut page.introduction, |section| &mut section.text);
    for character in words.chars() {
        if !character.is_whitespace() {
            text.push(character);
        } else if !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
    }
}

/// Returns the start of a code block. The expected output of a command has a title, which distinguishes it from the command.
fn code_block_start(kind: &CodeBlockKind<'_>, number: usize) -> String {
    let title = match kind {
        CodeBlockKind::Fenced(language) if matches!(&**language, "json" | "http") => "Response (excerpt)",
        CodeBlockKind::Fenced(language) if &**language == "text" => "Output",
        _ => return format!("<pre tabindex=\"0\" role=\"region\" aria-label=\"Code block {number}\"><code>"),
    };
    format!(
        "<p class=\"output\">{title}</p>\n\
         <pre tabindex=\"0\" role=\"region\" aria-label=\"{title} in code block {number}\" data-output><code>"
    )
}

/// Returns HTML in the text as text.
fn without_html(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    }
}

fn plain_text<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    match event {
        Event::Text(text) | Event::Code(text) => Some(text),
        _ => None,
    }
}

/// Returns the ID of a heading, as GitHub generates it.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter_map(|character| match character {
        ' ' | '-' => Some('-'),
        character if character.is_alphanumeric() => Some(character.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_links_become_text() {
        let text = "See [`a`](a.md), [b](docs/b.md#x) and [c](https://c.example/).\n\n```sh\n[d](docs/d.md)\n```\n";
        let expected = "See [`a`](a.md), b and [c](https://c.example/).\n\n```sh\n[d](docs/d.md)\n```\n";
        assert_eq!(with_links(text, &|target| !target.starts_with("docs/")), expected);
    }

    #[test]
    fn html_in_a_description_is_escaped() {
        assert_eq!(
            html("a `<b>` <script>x</script>"),
            "<p>a <code>&lt;b&gt;</code> &lt;script&gt;x&lt;/script&gt;</p>\n"
        );
    }

    #[test]
    fn page_has_a_title_sections_and_converted_links() {
        let text = "# The `first`\n\nSee [one](a.md) and [two](https://example.com).\n\n## If-Match, again\n\nSend `If-Match`.\n\n```sh\necho '<'\n```\n";
        let page = page(text, &|target| target.strip_suffix(".md").map(|stem| format!("{stem}.html")));
        assert_eq!(page.title, "The first");
        assert_eq!(page.introduction.trim(), "See one and two.");
        let [MarkdownSection { id, title, terms, text }] = &page.sections[..] else { panic!("not one section") };
        assert_eq!(text.trim(), "Send If-Match. echo '<'");
        assert_eq!(
            (id.as_str(), title.as_str(), terms.as_str()),
            ("if-match-again", "If-Match, again", "If-Match echo '<' ")
        );
        assert!(
            page.html.starts_with("<p>See <a href=\"a.html\">one</a> and two.</p>\n<h2 id=\"if-match-again\">"),
            "{}",
            page.html
        );
        let code = "<pre tabindex=\"0\" role=\"region\" aria-label=\"Code block 1\"><code>echo '&lt;'\n</code></pre>";
        assert!(page.html.contains(code), "{}", page.html);
    }

    #[test]
    fn expected_output_has_a_title() {
        let page = page("# T\n\n```json\n{}\n```\n\n```text\n204\n```\n", &|_| None);
        for title in ["Response (excerpt)", "Output"] {
            assert!(page.html.contains(&format!("<p class=\"output\">{title}</p>\n<pre ")), "{}", page.html);
        }
    }
}
