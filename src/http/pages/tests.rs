//! Properties of all pages.

mod landing;

use super::assets::{fingerprint, fingerprinted};
use super::swagger_ui::{extracted, find};
use super::template::{escape_html, escape_json_for_shell, fill};
use super::*;

const INFO: PageInfo<'_> = PageInfo {
    base_path: "",
    version: "1.2.3",
    commit: "0123456789abcdef",
    environment: "development",
    demo_login: Some(("demo@example.com", "it's \"secret\" <b>")),
    admin_login: Some(("admin@example.com", "secret of the administrator")),
    contracts: &["v2", "v1"],
    deprecations: &[],
    mails: &[],
    mail_dir: None,
    captures: "5xx",
};

fn text(info: &PageInfo<'_>, path: &str) -> String {
    let page = pages(info).into_iter().find(|page| page.path == path).expect(path);
    String::from_utf8(page.body.into_owned()).expect("UTF-8")
}

/// Returns every HTML page with its path.
fn html_pages() -> Vec<(String, String)> {
    let html = pages(&INFO).into_iter().chain([not_found(&INFO)]).filter(|page| page.content_type == HTML);
    html.map(|page| (page.path.into_owned(), String::from_utf8(page.body.into_owned()).expect("UTF-8"))).collect()
}

#[test]
fn no_policy_allows_inline_code_or_another_host() {
    for page in pages(&INFO) {
        assert!(page.csp.starts_with("default-src 'none'"), "{}", page.path);
        assert!(page.csp.contains("frame-ancestors 'none'"), "{}", page.path);
        for forbidden in ["unsafe", "*", "http:", "https:", "blob:"] {
            assert!(!page.csp.contains(forbidden), "{} allows {forbidden}", page.path);
        }
    }
}

#[test]
fn html_has_no_inline_script_style_or_handler() {
    for (path, html) in html_pages() {
        assert!(!html.contains("<style") && !html.contains(" style="), "{path}");
        assert!(!html.contains("javascript:") && !html.contains(" onclick="), "{path}");
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/").count(), "{path}");
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{path}");
        assert_eq!(html.matches("<h1").count(), 1, "{path}");
        let mut ids = std::collections::BTreeSet::new();
        for id in html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(ids.insert(id), "{path} has two elements with the ID {id}");
        }
    }
}

#[test]
fn every_page_with_a_script_may_run_it() {
    let mails =
        [MailPreview { name: "welcome", subject: "Welcome".into(), text: "Hello".into(), html: "<p>Hello</p>".into() }];
    let info = PageInfo { mails: &mails, ..INFO };
    let html = pages(&info).into_iter().chain([not_found(&info)]).filter(|page| page.content_type == HTML);
    let mut count = 0;
    for page in html.filter(|page| String::from_utf8_lossy(&page.body).contains("<script src")) {
        assert!(page.csp.contains("script-src 'self'"), "{}", page.path);
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_page_has_the_same_navigation_and_its_own_title() {
    let navigation = |html: &str| -> Vec<String> {
        let (_, links) = html.split_once("<nav class=\"site-nav\"").expect("a navigation");
        let (links, _) = links.split_once("</nav>").expect("its end");
        links.split("<a href=\"").skip(1).filter_map(|link| Some(link.split_once('"')?.0.to_owned())).collect()
    };
    let mut titles = std::collections::BTreeSet::new();
    for (path, html) in html_pages() {
        assert_eq!(navigation(&html), ["/docs", "/reference", "/guides", "/problems", "/console"], "{path}");
        let title = html.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).expect("a title").0;
        assert!(title.ends_with("BucketList API") && titles.insert(title.to_owned()), "{path}: {title}");
        assert!(html.contains("href=\"/favicon.ico\"") && html.contains("<meta name=\"color-scheme\""), "{path}");
        let current = html.matches("aria-current=\"page\"").count();
        let is_nested = path.starts_with("/problems/") || path == "/404";
        assert!(if is_nested { current == 0 } else { current > 0 }, "{path} does not mark itself in the navigation");
    }
}

/// Swagger UI is excluded: it contains URLs (XML namespaces, a disabled validator), and so are the texts of the reference, whose examples
/// contain some. The browser test verifies that they send no requests to other hosts.
#[test]
fn pages_refer_to_no_other_host() {
    for page in pages(&INFO).iter().filter(|page| {
        let is_reference = page.path.starts_with("/reference/v") || page.path == "/reference/search.json";
        !page.path.contains("swagger-ui") && !is_reference && page.content_type != MARKDOWN
    }) {
        let text = String::from_utf8_lossy(&page.body)
            // An XML namespace, the example of a setting, and the placeholder for this host in the commands.
            .replace("http://www.w3.org/2000/svg", "")
            .replace("REPLAY_TARGETS=staging=https://staging.example.com", "")
            .replace(HTML_ADDRESS, "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{}", page.path);
        assert!(!text.contains("src=\"//") && !text.contains("url(//") && !text.contains("@import"), "{}", page.path);
    }
}

#[test]
fn every_local_link_has_a_target() {
    let served_by_the_app = ["/health/ready", "/health/live", "/version"];
    let documents = ["/openapi/v1.json", "/openapi/v1.yaml", "/openapi/v2.json", "/openapi/v2.yaml"];
    let openapi_3_1 = [
        "/openapi/v1-3.1.json",
        "/openapi/v2-3.1.json",
        "/openapi/v1-samples.json",
        "/openapi/v2-samples.json",
        "/openapi/flows.arazzo.json",
    ];
    let collection = [
        "/postman/collection.json",
        "/postman/environment.json",
        "/postman/v1.http",
        "/postman/v2.http",
        "/postman/collection.har",
    ];
    let served_by_the_app = [served_by_the_app.as_slice(), &documents, &openapi_3_1, &collection].concat();
    let pages = pages(&INFO);
    for (_, html) in html_pages() {
        let references = ["href=\"", "src=\""].into_iter().flat_map(|start| html.split(start).skip(1));
        for reference in references.filter_map(|rest| rest.split('"').next()) {
            let (path, anchor) = reference.split_once('#').unwrap_or((reference, ""));
            let target = if path.is_empty() { Some(html.as_str()) } else { None };
            let path = path.split_once('?').map_or(path, |(path, _)| path);
            let page = pages.iter().find(|page| page.path == path);
            assert!(target.is_some() || page.is_some() || served_by_the_app.contains(&path), "{path} is not served");
            let target = target.or(page.and_then(|page| std::str::from_utf8(&page.body).ok())).unwrap_or_default();
            // Swagger UI interprets anchors that begin with a slash.
            let is_page_anchor = !anchor.is_empty() && !anchor.starts_with('/');
            assert!(!is_page_anchor || target.contains(&format!(" id=\"{anchor}\"")), "{reference} has no target");
        }
        assert!(!html.contains("{{"), "a placeholder was not replaced");
    }
}

#[test]
fn descriptions_for_programs_link_to_existing_files() {
    let catalog: serde_json::Value = serde_json::from_str(&text(&INFO, "/.well-known/api-catalog")).expect("JSON");
    assert_eq!(catalog["linkset"].as_array().map(Vec::len), Some(2));
    assert_eq!((&catalog["linkset"][0]["anchor"], &catalog["linkset"][1]["anchor"]), (&"/v2".into(), &"/v1".into()));
    let summary = text(&INFO, "/llms.txt");
    assert!(summary.starts_with("# BucketList API\n\n> "), "{summary}");
    let in_catalog = catalog.to_string();
    let in_catalog = in_catalog.split("\"href\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let in_summary = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let paths: Vec<&str> = in_catalog.chain(in_summary).collect();
    assert!(paths.len() > 20, "{paths:?}");
    let pages = pages(&INFO);
    for path in paths {
        let path = path.split('?').next().unwrap_or_default();
        let is_file =
            ["/openapi/", "/postman/", "/health/ready", "/version"].iter().any(|prefix| path.starts_with(prefix));
        assert!(is_file || pages.iter().any(|page| page.path == path), "{path}");
    }
}

#[test]
fn swagger_ui_is_extracted_completely() {
    let found = extracted();
    assert!(found.style.len() > 100_000 && found.style.contains(".swagger-ui"), "the style is missing");
    assert!(found.script.len() > 1_000_000 && found.script.contains("SwaggerUIBundle"), "the script is missing");
    assert!(found.script.trim_end().ends_with(';') && !found.script.contains("</script"), "the script is truncated");
    for needed in ["userFetch", "authorizeWithPersistOption", "logoutWithPersistOption", "specSelectors"] {
        assert!(found.script.contains(needed), "docs.js relies on {needed}");
    }
}

#[test]
fn reference_has_every_operation_with_its_samples() {
    for version in ["v1", "v2"] {
        let document = if version == "v1" { contract::v1::document() } else { contract::v2::document() };
        let html: String = html_pages()
            .into_iter()
            .filter(|(path, _)| path.starts_with(&format!("/reference/{version}/")))
            .map(|(_, html)| html)
            .collect();
        let operations: Vec<_> = openapi_model::traverse::operations(document.value()).collect();
        for entry in &operations {
            let id = entry.id();
            let start = format!("<section class=\"operation\" id=\"{id}\"");
            let section = html.split_once(&start).expect(id).1;
            let section = section.split_once("</section>").expect(id).0;
            assert_eq!(section.matches("data-language=").count(), 7, "{}", entry.id());
            assert_eq!(section.matches(" hidden>").count(), 6, "{}", entry.id());
            for parameter in entry.parameters(document.value()) {
                let name = parameter.value["name"].as_str().expect("a name");
                assert!(section.contains(&format!("<li><code>{name}</code>")), "{}: {name}", entry.id());
            }
            let markdown = text(&INFO, &format!("/reference/{version}/{}.md", entry.id()));
            assert!(markdown.starts_with("# ") && markdown.matches("\n### ").count() == 7, "{markdown}");
        }
        assert_eq!(html.matches("<section class=\"operation\"").count(), operations.len());
    }
}

#[test]
fn search_index_has_existing_targets() {
    let index: Vec<serde_json::Value> = serde_json::from_str(&text(&INFO, "/reference/search.json")).expect("JSON");
    let find = |title: &str| index.iter().find(|entry| entry["title"] == title).expect(title);
    assert_eq!(find("Create an item")["url"], "v2/items#createItem");
    assert!(find("List items")["keywords"].as_str().expect("keywords").contains("due_before"));
    assert!(find("Conditional requests")["keywords"].as_str().expect("keywords").contains("Prevent lost updates"));
    assert!(find("API keys")["keywords"].as_str().expect("keywords").contains("X-API-Key"));
    assert!(find("API keys")["text"].as_str().expect("text").contains("independent of sessions"));
    assert_eq!(find("ITEM_NOT_FOUND")["url"], "../problems/item-not-found");
    let pages = pages(&INFO);
    for entry in &index {
        let url = entry["url"].as_str().expect("a URL");
        let path = url.strip_prefix("..").map_or_else(|| format!("/reference/{url}"), str::to_owned);
        let (path, anchor) = path.split_once('#').unwrap_or((&path, ""));
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let page = pages.iter().find(|page| page.path == path).expect(url);
        let html = std::str::from_utf8(&page.body).expect("UTF-8");
        assert!(anchor.is_empty() || html.contains(&format!(" id=\"{anchor}\"")), "{url}");
    }
}

#[test]
fn unknown_page_structure_is_detected() {
    assert_eq!(find("<html><script>1</script></html>"), None);
    assert_eq!(find("<style>a{}</style>"), None);
    assert_eq!(find("<style>a{}</style><script src=x></script>"), None);
    let both = find("<style x>a{}</style>\n<script y>1</script>\n<script>start()</script>").expect("both");
    assert_eq!((both.style, both.script), ("a{}", "1"));
}

#[test]
fn different_content_has_a_different_path() {
    let path = |body: &'static str| fingerprinted("/docs", "docs.js", "text/javascript", body.as_bytes()).path;
    assert_eq!(path("a"), path("a"));
    assert!(path("a").starts_with("/docs/docs.") && path("a").ends_with(".js"));
    for (one, other) in [("", "\0"), ("a", "b"), ("12345678", "12345679"), ("12345678a", "12345678b"), ("ab", "ba")] {
        assert_ne!(fingerprint(one.as_bytes()), fingerprint(other.as_bytes()), "{one:?} {other:?}");
    }
}

#[test]
fn only_fingerprinted_assets_are_immutable() {
    for page in pages(&INFO) {
        let immutable = page.cache_control.contains("immutable");
        assert_eq!(immutable, page.path.contains(page.etag.trim_matches('"')), "{}", page.path);
        assert!(page.path.starts_with('/') && page.etag.len() > 4);
        assert!(!page.content_type.starts_with("text/html") || page.cache_control == "no-cache");
    }
}

#[test]
fn demo_account_is_shown_only_in_development() {
    assert!(text(&INFO, "/").contains("demo@example.com"));
    assert!(text(&INFO, "/docs").contains("value=\"it&#39;s &quot;secret&quot; &lt;b&gt;\""));
    for environment in ["testing", "staging", "production"] {
        let info = PageInfo { environment, ..INFO };
        for path in ["/", "/docs", "/console"] {
            let html = text(&info, path);
            assert!(
                !html.contains("demo") && !html.contains("admin@") && !html.contains("secret"),
                "{environment} {path}"
            );
        }
    }
}

#[test]
fn version_chooser_requires_two_versions() {
    let one = PageInfo { contracts: &["v1"], ..INFO };
    assert!(!text(&one, "/docs").contains("class=\"chooser\""));
    assert!(text(&INFO, "/docs").contains("href=\"/docs?contract=v2\""));
    assert!(text(&INFO, "/docs").contains("data-contracts=\"v2 v1\""));
    assert!(text(&INFO, "/docs").contains("<a href=\"/openapi/v1.json\">/openapi/v1.json</a></p></noscript>"));
    assert!(text(&INFO, "/").contains("href=\"/openapi/v2.yaml\""));
    assert!(text(&INFO, "/").contains("<a href=\"/docs\">/docs</a> <a href=\"/docs?contract=v1\">"));
    // The quick start uses the first version.
    let home = text(&INFO, "/");
    assert!(home.contains("$BASE_URL/v2/auth/login") && home.contains("$BASE_URL/v2/bucketlists"));
    assert!(!home.contains("$BASE_URL/v1"));
    assert!(text(&INFO, "/robots.txt").contains("Disallow: /v2/\n"));
}

/// Returns the JSON in the code element with this id.
fn json_example(html: &str, id: &str) -> Option<serde_json::Value> {
    let (_, code) = html.split_once(&format!("<code id=\"{id}\">"))?;
    let (code, _) = code.split_once("</code>")?;
    assert!(!code.contains('"') && !code.contains('<'), "not escaped: {code}");
    let code = code.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
    Some(serde_json::from_str(&code.replace("&amp;", "&")).expect("JSON"))
}

#[test]
fn page_of_an_error_code_contains_all_its_texts() {
    for code in ErrorCode::ALL {
        let name = code.as_str();
        let path = problem::page_path(*code);
        let html = text(&INFO, &path);
        // Code formatting as in the source text.
        let text_of_page = html.replace("<code>", "`").replace("</code>", "`");
        let sentences = [code.message(), code.explanation(), code.remedy()];
        for sentence in sentences.iter().chain(code.causes()) {
            assert!(text_of_page.contains(&escape_html(sentence)), "{name} does not contain {sentence:?}");
        }
        assert!(html.contains(&format!("<h1><code>{name}</code></h1>")), "{name}");
        assert!(html.contains(&format!(">{} ", code.status())) && !html.contains(" </a>"), "{name} has no status");

        let example = json_example(&html, "problem").expect("an example");
        assert_eq!((&example["type"], &example["code"]), (&path.as_str().into(), &name.into()));
        assert_eq!(example["status"], code.status());
        match json_example(&html, "envelope-v1") {
            Some(envelope) => assert_eq!(envelope["error"]["code"], name),
            None => assert!(!code.is_in_v1(), "{name} has no example for v1"),
        }
    }
}

#[test]
fn page_of_a_violation_contains_its_texts_and_examples() {
    for known in ViolationInfo::ALL {
        let path = problem::violation_page_path(known);
        let html = text(&INFO, &path);
        assert!(html.contains(&format!("<h1><code>{}</code></h1>", known.code)), "{path}");
        let link = format!("<a href=\"{path}\">{}</a>", known.code);
        assert!(text(&INFO, "/problems").contains(&link), "{path} is not in the list");
        if known.is_error_code() {
            continue;
        }
        // Code formatting as in the source text.
        let text_of_page = html.replace("<code>", "`").replace("</code>", "`");
        for sentence in [known.meaning, known.remedy] {
            assert!(text_of_page.contains(&escape_html(sentence)), "{path} does not contain {sentence:?}");
        }
        let example = json_example(&html, "problem").expect("an example");
        assert_eq!(example["errors"][0]["code"], known.code);
        let envelope = json_example(&html, "envelope-v1").expect("an example for v1");
        assert_eq!(envelope["error"]["details"][0]["code"], known.code);
    }
}

#[test]
fn index_lists_every_error_code_under_its_status() {
    let html = text(&INFO, "/problems");
    for code in ErrorCode::ALL {
        let (_, section) = html.split_once(&format!("<h2 id=\"status-{}\">", code.status())).expect("a section");
        let (section, _) = section.split_once("</section>").expect("its end");
        let link = format!("<a href=\"{}\">{}</a>", problem::page_path(*code), code.as_str());
        assert!(section.contains(&link), "{}", code.as_str());
    }
    assert!(html.contains(&format!("these {} codes", ErrorCode::ALL.len())));
    assert!(html.contains(">404 Not Found</h2>") && !html.contains(" </h2>"), "a status has no reason phrase");
    assert!(text(&INFO, "/").contains("href=\"/problems\""));
}

#[test]
fn values_are_escaped_and_not_interpreted_as_templates() {
    assert_eq!(fill("{{a}} {{b}} {{c}} {{", &[("a", "{{b}}"), ("b", "1")]), "{{b}} 1 {{c}} {{");
    assert_eq!(escape_html("<a href='x'>&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
    assert_eq!(escape_json_for_shell("it's \"a\\b\"\n"), r#"it'\''s \"a\\b\"\u000a"#);
    let info = PageInfo { version: "<i>", environment: "a\"b", ..INFO };
    for path in ["/", "/docs", "/reference", "/reference/v2/items", "/guides/errors", "/problems", "/problems/gone"] {
        assert!(!text(&info, path).contains("<i>") && text(&info, path).contains("&lt;i&gt;"), "{path}");
    }
}
