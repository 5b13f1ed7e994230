//! Content negotiation (RFC 9110, section 12.5).

use poem::{
    FromRequest, Request, RequestBody,
    http::{HeaderMap, HeaderValue, header::ACCEPT},
};

use crate::{operation::Argument, table::RowFormat};

/// Selects the media type of `produces` with the highest quality in `Accept`; of equal ones, the first. Returns `None` if none
/// is acceptable. A missing or invalid `Accept` accepts everything. Returns an empty string if `produces` is empty.
#[must_use]
pub fn negotiate<'a>(headers: &HeaderMap, produces: &'a [String]) -> Option<&'a str> {
    let Some(first) = produces.first() else {
        return Some("");
    };
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range<'_>> = values.flat_map(|value| split_unquoted(value, ',')).filter_map(Range::parse).collect();
    if ranges.is_empty() {
        return Some(first);
    }
    let mut best: Option<(u16, &str)> = None;
    for media_type in produces {
        let quality = quality(&ranges, media_type);
        if quality > best.map_or(0, |(best, _)| best) {
            best = Some((quality, media_type));
        }
    }
    best.map(|(_, media_type)| media_type)
}

/// Returns whether the client requests CSV with a byte order mark, `text/csv; bom=true`: Excel reads a file without one as
/// Windows-1252.
#[must_use]
pub fn accepts_byte_order_mark(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| split_unquoted(value, ',')).any(|range| {
        let mut parts = split_unquoted(range, ';').map(str::trim);
        parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case(RowFormat::Csv.media_type()))
            && parts.filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
                name.trim().eq_ignore_ascii_case("bom") && value.trim().trim_matches('"').eq_ignore_ascii_case("true")
            })
    })
}

/// The `Accept` header, for operations whose media type depends on the resource.
#[derive(Clone, Debug)]
pub struct Accept(HeaderMap);

impl Accept {
    /// Returns whether the client accepts this media type.
    #[must_use]
    pub fn allows(&self, media_type: &str) -> bool {
        negotiate(&self.0, &[media_type.to_owned()]).is_some()
    }
}

impl<'a> FromRequest<'a> for Accept {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let values = request.headers().get_all(ACCEPT).iter();
        Ok(Self(values.map(|value: &HeaderValue| (ACCEPT, value.clone())).collect()))
    }
}

impl Argument for Accept {}

/// A media range and its quality in thousandths.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    /// Reads a media range. Parameters other than the quality are ignored: each representation exists in one form.
    ///
    /// Accepts more than RFC 9110 allows, because clients send it: `*` (old Java clients) means `*/*`, and a quality that is
    /// not a number from 0 to 1 counts as the lowest one.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = split_unquoted(text, ';').map(str::trim);
        let (kind, subtype) = match parts.next()? {
            "*" => ("*", "*"),
            range => range.split_once('/')?,
        };
        let quality = parse_quality(parts).unwrap_or(1);
        (!kind.is_empty() && !subtype.is_empty()).then_some(Self { kind, subtype, quality })
    }

    /// Returns the specificity if the range includes the media type.
    fn specificity(&self, kind: &str, subtype: &str) -> Option<u8> {
        if self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype) {
            Some(2)
        } else if self.kind.eq_ignore_ascii_case(kind) && self.subtype == "*" {
            Some(1)
        } else {
            (self.kind == "*" && self.subtype == "*").then_some(0)
        }
    }
}

/// Returns the quality of the most specific range that includes `media_type`.
fn quality(ranges: &[Range<'_>], media_type: &str) -> u16 {
    let Some((kind, subtype)) = media_type.split_once('/') else {
        return 0;
    };
    ranges
        .iter()
        .filter_map(|range| Some((range.specificity(kind, subtype)?, range.quality)))
        .max()
        .map_or(0, |(_, quality)| quality)
}

/// Splits the value of a header at separators outside of quoted strings.
pub fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return !quoted && character == separator,
        }
        false
    })
}

/// Returns the quality (`q`) among the parameters of an offer, in thousandths: 1000 if there is none, `None` if it is not
/// a number from 0 to 1.
#[must_use]
pub fn parse_quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let stated = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.trim().eq_ignore_ascii_case("q").then_some(value)
    });
    stated.map_or(Some(1000), thousandths)
}

/// Parses a decimal number from 0 to 1: `0.5` is 500. RFC 9110 allows three decimals and a leading digit; `0.8000` and
/// `.2` are common and clear, so they are read as well. A number above 0 never becomes 0, which would mean "not acceptable".
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_number = matches!(whole, "0" | "1") || (whole.is_empty() && !decimals.is_empty());
    if !is_number || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (kept, rest) = decimals.split_at(decimals.len().min(3));
    let thousandths: u16 = format!("{whole}{kept:0<3}").parse().ok()?;
    let has_rest = rest.bytes().any(|digit| digit != b'0');
    match thousandths {
        0 if has_rest => Some(1),
        1000 if has_rest => None,
        thousandths => Some(thousandths).filter(|thousandths| *thousandths <= 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json";
    const CSV: &str = "text/csv";
    const NDJSON: &str = "application/x-ndjson";

    fn chosen<'a>(accept: &[&str], produces: &'a [String]) -> Option<&'a str> {
        let mut headers = HeaderMap::new();
        for accept in accept {
            headers.append(ACCEPT, accept.parse().unwrap());
        }
        negotiate(&headers, produces)
    }

    #[test]
    fn one_media_type_is_accepted_or_rejected() {
        let json = [JSON.to_owned()];
        for (accept, expected) in [
            ("", true),
            ("*/*", true),
            ("application/json", true),
            ("APPLICATION/JSON; charset=utf-8", true),
            ("application/*;q=0.1", true),
            ("text/html, application/json;q=0.5", true),
            ("text/html", false),
            ("image/png, text/*", false),
            ("application/json;q=0", false),
            ("*/*, application/json;q=0", false),
            ("application/json;q=0, */*;q=0.1", false),
            ("nonsense", true),
            ("application/json;q=17", true),
            ("text/html, application/json;q=17", true),
            // Sent by real clients.
            ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", true),
            ("text/html, */*;q=.8", true),
            ("text/html, *;q=0.1", true),
            ("application/json;q=0.8000", true),
            ("*", true),
            ("*;q=0", false),
            ("application/*;q=1", true),
            ("text/html;level=1, application/json ; q = 0.5", true),
            ("application/vnd.api+json, */*;q=0.1", true),
            ("application/json;q=0.0000", false),
        ] {
            assert_eq!(chosen(&[accept], &json), expected.then_some(JSON), "{accept}");
        }
        assert_eq!(chosen(&[], &json), Some(JSON));
        assert_eq!(chosen(&["text/html"], &[]), Some(""));
    }

    #[test]
    fn byte_order_mark_is_a_parameter_of_csv() {
        for (accept, expected) in [
            ("text/csv; bom=true", true),
            ("application/json;q=0.5, Text/CSV;charset=utf-8;BOM=\"True\"", true),
            ("text/csv", false),
            ("text/csv; bom=false", false),
            ("text/csv; bom", false),
            ("application/x-ndjson; bom=true", false),
            ("text/html; note=\"a, text/csv; bom=true\"", false),
            ("", false),
        ] {
            let headers = [(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
            assert_eq!(accepts_byte_order_mark(&headers), expected, "{accept}");
        }
    }

    #[test]
    fn media_type_with_the_highest_quality_is_selected() {
        let lists = [JSON.to_owned(), CSV.to_owned(), NDJSON.to_owned()];
        for (accept, expected) in [
            (&["text/csv"][..], Some(CSV)),
            (&["text/csv; header=present"], Some(CSV)),
            (&["text/csv;charset=utf-8;q=0.9, application/json;q=0.8"], Some(CSV)),
            (&["text/*"], Some(CSV)),
            (&["Text/CSV;Q=1.000"], Some(CSV)),
            (&["application/x-ndjson"], Some(NDJSON)),
            (&["application/x-ndjson, text/csv;q=0.999"], Some(NDJSON)),
            // Equal quality: the first documented media type.
            (&[], Some(JSON)),
            (&["*/*"], Some(JSON)),
            (&["text/csv, application/json"], Some(JSON)),
            (&["application/x-ndjson, text/csv"], Some(CSV)),
            (&["application/*"], Some(JSON)),
            // The most specific range applies, regardless of its position.
            (&["*/*, application/json;q=0.1"], Some(CSV)),
            (&["application/json;q=0, application/*"], Some(NDJSON)),
            (&["*/*;q=0.2, text/csv;q=0.3"], Some(CSV)),
            // Several lines form one list; separators in quoted strings are ignored.
            (&["application/json;q=0.1", "text/csv;q=0.2"], Some(CSV)),
            (&["image/png;note=\"a, text/csv;q=1\", application/x-ndjson"], Some(NDJSON)),
            (&["text/csv;note=\"a\\\";q=0\";q=0.7, application/json;q=0.6"], Some(CSV)),
            // An invalid quality is the lowest one.
            (&["text/csv;q=17, application/json;q=0.1"], Some(JSON)),
            (&["text/csv;q=-1, application/x-ndjson"], Some(NDJSON)),
            (&["text/csv;q=NaN"], Some(CSV)),
            (&["text/csv;q="], Some(CSV)),
            (&["text/csv;q"], Some(CSV)),
            (&["text/csv;q=0.5555555, application/x-ndjson;q=0.001"], Some(CSV)),
            (&["text/csv;q=inf, */*;q=0.5"], Some(JSON)),
            // No media type is acceptable.
            (&["text/csv;q=0, application/json;q=0.000"], None),
            (&["text/html, application/xml;q=0.9"], None),
            (&["text/csv;q=0"], None),
        ] {
            assert_eq!(chosen(accept, &lists), expected, "{accept:?}");
        }
    }

    #[test]
    fn qualities_are_numbers_from_0_to_1() {
        for (text, expected) in [
            ("1", Some(1000)),
            ("1.", Some(1000)),
            ("1.000", Some(1000)),
            ("0", Some(0)),
            ("0.5", Some(500)),
            ("0.05", Some(50)),
            (" 0.123 ", Some(123)),
            ("1.001", None),
            ("1.0001", None),
            ("1.0000", Some(1000)),
            ("0.1234", Some(123)),
            ("0.0001", Some(1)),
            ("0.0000", Some(0)),
            (".5", Some(500)),
            (".", None),
            ("00.5", None),
            ("+0.5", None),
            ("0,5", None),
            ("5e-1", None),
            ("", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }
}
