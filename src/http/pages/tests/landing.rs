//! The landing page, the address of the server in commands, and the places of operations.

use super::*;

#[test]
fn landing_page_shows_versions_with_the_dates_of_their_deprecations() {
    let listed = |operation, since: &str| ListedDeprecation {
        version: "v1",
        operation,
        since: since.to_owned(),
        sunset: "2027-11-20".to_owned(),
    };
    let deprecations = [listed("listItems", "2026-11-20"), listed("listUsers", "2026-11-20")];
    let home = text(&PageInfo { deprecations: &deprecations, ..INFO }, "/");
    let dates = "Supported. Two operations are deprecated since <time>2026-11-20</time> and will be removed on <time>2027-11-20</time>: \
                 <code>listItems</code>, <code>listUsers</code>.";
    assert_eq!(home.matches(dates).count(), 1);
    assert!(home.contains(">v2</a></dt><dd>Current.</dd>"), "{home}");
    assert!(text(&INFO, "/").contains(">v1</a></dt><dd>Supported.</dd>"));
}

#[test]
fn address_and_state_are_filled_in() {
    let page = |path: &str| pages(&INFO).into_iter().find(|page| page.path == path).expect(path);
    let home = page("/");
    assert!(has_state(&home) && has_address(&home));
    let text = fill_in(&home, "https://example.com/api", "Not ready. <x>");
    assert!(text.contains("BASE_URL=<span data-origin>https://example.com/api</span>"), "{text}");
    assert!(text.contains("<strong data-state>Not ready. &lt;x&gt;</strong>"), "{text}");
    for path in ["/reference/v2/items", "/guides/errors", "/guides/errors.md"] {
        let page = page(path);
        assert!(has_address(&page) && !has_state(&page), "{path}");
        let text = fill_in(&page, "https://example.com", "");
        assert!(text.contains("https://example.com") && !text.contains("the-host-of"), "{path}");
        assert!(!text.contains("BASE_URL=http://localhost"), "{path}");
    }
}

#[test]
fn every_operation_has_a_place_in_the_reference() {
    let pages = pages(&INFO);
    let mut count = 0;
    for (path, target) in operation_anchors() {
        let (page, id) = target.split_once('#').expect("an anchor");
        assert_eq!(path.rsplit_once('/').expect("a path").1, id.to_lowercase());
        let page = pages.iter().find(|other| other.path == page).expect(page);
        assert!(String::from_utf8_lossy(&page.body).contains(&format!("id=\"{id}\"")), "{target}");
        count += 1;
    }
    assert!(count > 80, "{count}");
}
