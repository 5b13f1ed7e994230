//! Which representation a client accepts (RFC 9110, section 12.5).

use poem::http::{HeaderMap, header::ACCEPT};

/// Whether one of `produces` is acceptable. No `Accept`, and one that cannot be understood, accept everything.
pub(super) fn accepts(headers: &HeaderMap, produces: &[String]) -> bool {
    let mut ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if produces.is_empty() || ranges.peek().is_none() {
        return true;
    }
    let ranges: Vec<Range<'_>> = ranges.flat_map(|value| value.split(',')).filter_map(Range::parse).collect();
    ranges.is_empty() || produces.iter().any(|media_type| quality(&ranges, media_type) > 0)
}

/// A media range with its quality in thousandths.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts
            .find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")))
            .map_or(Some(1000), thousandths)?;
        (!kind.is_empty() && !subtype.is_empty()).then_some(Self { kind, subtype, quality })
    }

    /// How precisely the range names a media type; `None`: not at all.
    fn precision(&self, kind: &str, subtype: &str) -> Option<u8> {
        if self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype) {
            Some(2)
        } else if self.kind.eq_ignore_ascii_case(kind) && self.subtype == "*" {
            Some(1)
        } else {
            (self.kind == "*" && self.subtype == "*").then_some(0)
        }
    }
}

/// The quality of the most precise range that names `media_type`.
fn quality(ranges: &[Range<'_>], media_type: &str) -> u16 {
    let Some((kind, subtype)) = media_type.split_once('/') else {
        return 0;
    };
    ranges
        .iter()
        .filter_map(|range| Some((range.precision(kind, subtype)?, range.quality)))
        .max()
        .map_or(0, |(_, quality)| quality)
}

/// `0.5` is 500; anything but a number from 0 to 1 is none.
pub(super) fn thousandths(text: &str) -> Option<u16> {
    let value: f32 = text.trim().parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
    (0.0..=1.0).contains(&value).then(|| (value * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_weighed() {
        let json = ["application/json".to_owned()];
        for (accept, expected) in [
            (None, true),
            (Some(""), true),
            (Some("*/*"), true),
            (Some("application/json"), true),
            (Some("APPLICATION/JSON; charset=utf-8"), true),
            (Some("application/*;q=0.1"), true),
            (Some("text/html, application/json;q=0.5"), true),
            (Some("text/html"), false),
            (Some("image/png, text/*"), false),
            (Some("application/json;q=0"), false),
            (Some("*/*, application/json;q=0"), false),
            (Some("application/json;q=0, */*;q=0.1"), false),
            (Some("nonsense"), true),
            (Some("application/json;q=17"), true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(accepts(&headers, &json), expected, "{accept:?}");
        }
    }
}
