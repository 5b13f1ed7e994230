//! `/robots.txt`: allows crawlers on the pages, but not on the API.

use super::PageInfo;

pub(super) fn txt(info: &PageInfo<'_>) -> String {
    let base = info.base_path;
    let mut text = String::from("User-agent: *\n");
    for path in ["/$", "/docs", "/reference", "/guides", "/problems"] {
        text.push_str(&format!("Allow: {base}{path}\n"));
    }
    for path in info.contracts.iter().map(|contract| format!("{base}/{contract}/")) {
        text.push_str(&format!("Disallow: {path}\n"));
    }
    text.push_str(&format!("Disallow: {base}/health/\nDisallow: {base}/metrics\n"));
    text
}
