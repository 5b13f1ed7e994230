//! `/robots.txt`: allows crawlers on the pages, but not on the API.

use super::PageInfo;

pub(super) fn txt(info: &PageInfo<'_>) -> String {
    let mut text =
        String::from("User-agent: *\nAllow: /$\nAllow: /docs\nAllow: /reference\nAllow: /guides\nAllow: /problems\n");
    for path in info.contracts.iter().map(|contract| format!("/{contract}/")) {
        text.push_str(&format!("Disallow: {path}\n"));
    }
    text.push_str("Disallow: /health/\nDisallow: /metrics\n");
    text
}
