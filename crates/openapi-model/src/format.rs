//! Checks of string formats that JSON Schema draft 4 does not define.

use email_address::{EmailAddress, Options};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::text::is_invisible;

/// Maximum length of an email address in SMTP.
const MAX_EMAIL_LENGTH: usize = 254;

/// Returns whether `text` is a calendar date in the format `YYYY-MM-DD`.
pub(crate) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        let digits = bytes.get(range)?;
        digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return false,
    };
    // Many languages cannot represent the year 0.
    year >= 1 && (1..=days).contains(&day)
}

/// Returns the time in `text` in the format of RFC 3339, or `None` if it is not a time.
///
/// Accepts RFC 3339 and the variants that generated clients send: an offset without a colon (`+0000`, Python) or of hours
/// only, any number of fractional digits (C#, Go and Java; digits after the ninth are removed), a comma before them (ISO
/// 8601), no seconds, a space instead of `T`, lower case, and an offset whose `+` a query string turned into a space. A
/// time without an offset is ambiguous and therefore invalid.
#[must_use]
pub fn normalize_date_time(text: &str) -> Option<String> {
    let text = text.trim();
    let date = text.get(..10).filter(|date| is_date(date))?;
    let time = text.get(10..)?.strip_prefix(['T', 't', ' '])?;
    let (time, offset) = time.split_at(time.find(['Z', 'z', '+', '-', ' '])?);
    let (time, fraction) = match time.split_once(['.', ',']) {
        Some((time, digits)) => (time, Some(digits)),
        None => (time, None),
    };
    let (hour, rest) = time.split_once(':')?;
    let (minute, second) = rest.split_once(':').unwrap_or((rest, "00"));
    let mut normalized =
        format!("{date}T{:02}:{:02}:{:02}", two_digits(hour, 23)?, two_digits(minute, 59)?, two_digits(second, 60)?);
    if let Some(digits) = fraction {
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        normalized.push('.');
        normalized.push_str(digits.get(..9).unwrap_or(digits));
    }
    match offset {
        "Z" | "z" => normalized.push('Z'),
        _ => {
            let sign = if offset.starts_with('-') { '-' } else { '+' };
            let (hours, minutes) = match offset.get(1..)? {
                offset if offset.contains(':') => offset.split_once(':')?,
                offset => (offset.get(..2)?, offset.get(2..).filter(|minutes| !minutes.is_empty()).unwrap_or("00")),
            };
            normalized.push(sign);
            normalized += &format!("{:02}:{:02}", two_digits(hours, 23)?, two_digits(minutes, 59)?);
        }
    }
    Some(normalized)
}

/// Returns the value of a text of exactly two digits if it is at most `max`.
fn two_digits(text: &str, max: u8) -> Option<u8> {
    let is_number = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| text.parse().ok())?.filter(|number| *number <= max)
}

/// Returns whether `text` is a time with an offset, see [`normalize_date_time`].
pub(crate) fn is_date_time(text: &str) -> bool {
    normalize_date_time(text).is_some()
}

/// Returns whether `text` is an email address of RFC 5321 whose domain has a dot. It must have at most 254 characters and
/// no quotes, also with the domain in Punycode. Invisible characters are invalid, because two addresses that look alike must
/// not be two accounts.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    let unwanted = |c: char| c.is_control() || c.is_whitespace() || c == '"' || is_invisible(c);
    let is_valid = !text.contains(unwanted) && EmailAddress::parse_with_options(text, options).is_ok();
    is_valid && text.rsplit_once('@').is_some_and(|(local, domain)| is_mail_domain(domain, local.chars().count()))
}

/// Returns whether a domain can be written in Punycode, and is short enough for a local part of this length.
fn is_mail_domain(domain: &str, local_length: usize) -> bool {
    let ascii = Uts46::new().to_ascii(domain.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Verify);
    let longest = ascii.map(|ascii| ascii.len().max(domain.chars().count()));
    longest.is_ok_and(|length| local_length + 1 + length <= MAX_EMAIL_LENGTH)
}

/// Returns whether `text` is a UUID with hyphens.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn times_of_generated_clients_are_normalized_to_rfc_3339() {
        for (text, expected) in [
            ("2026-01-31T12:00:00Z", Some("2026-01-31T12:00:00Z")),
            ("2025-01-01T00:00:00.000000+0000", Some("2025-01-01T00:00:00.000000+00:00")),
            ("2026-01-01T00:00:00.0000000+00:00", Some("2026-01-01T00:00:00.0000000+00:00")),
            ("2026-01-01T00:00:00.123456789+02:00", Some("2026-01-01T00:00:00.123456789+02:00")),
            ("2026-01-01T00:00:00.1234567891234Z", Some("2026-01-01T00:00:00.123456789Z")),
            ("2026-01-01T00:00Z", Some("2026-01-01T00:00:00Z")),
            ("2026-01-01 00:00:00+00:00", Some("2026-01-01T00:00:00+00:00")),
            ("2026-01-01t00:00:00z", Some("2026-01-01T00:00:00Z")),
            ("2026-01-01T00:00:00,5Z", Some("2026-01-01T00:00:00.5Z")),
            ("2026-01-01T00:00:00-05", Some("2026-01-01T00:00:00-05:00")),
            // A `+` that a query string turned into a space.
            ("2026-01-01T00:00:00 01:00", Some("2026-01-01T00:00:00+01:00")),
            (" 2026-01-01T00:00:00Z ", Some("2026-01-01T00:00:00Z")),
            ("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:60Z")),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01 00:00:00", None),
            ("2026-02-30T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:60:00Z", None),
            ("2026-01-01T00:00:61Z", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01T00:00:00.5.5Z", None),
            ("2026-01-01T00:00:00+24:00", None),
            ("2026-01-01T00:00:00+00:60", None),
            ("2026-01-01T00:00:00+0", None),
            ("2026-01-01T00:00:00Z+00:00", None),
            ("2026-01-01T0:00:00Z", None),
            ("2026-01-01Z", None),
            ("2026-01-01", None),
            ("20260101T000000Z", None),
            ("2026-01-01T00:00:00é", None),
            ("", None),
        ] {
            assert_eq!(normalize_date_time(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn formats_are_checked() {
        for (text, good) in [
            ("2026-01-31", true),
            ("2024-02-29", true),
            ("2026-02-29", false),
            ("2026-13-01", false),
            ("2026-00-10", false),
            ("2026-1-31", false),
            ("2026-01-32", false),
            ("2026-01-00", false),
            ("20260131", false),
            ("2026-01-3é", false),
            ("0000-01-01", false),
            ("0001-01-01", true),
            ("", false),
        ] {
            assert_eq!(is_date(text), good, "{text}");
        }
        for (text, good) in [
            ("ada@example.com", true),
            ("ada+x@mail.example.com", true),
            ("jürgen@exämple.de", true),
            ("a@b", false),
            ("a@.b", false),
            ("a@b.", false),
            ("@b.c", false),
            ("a@@b.c", false),
            ("a b@c.d", false),
            ("a@b.c\n", false),
            ("", false),
            ("a@b..c", false),
            (".a@b.de", false),
            ("a..b@b.de", false),
            ("<a@b.de>", false),
            ("Ada <a@b.de>", false),
            ("a@-b.de", false),
            ("\"a b\"@b.de", false),
            ("a@[127.0.0.1]", false),
            ("ada\u{200b}@example.com", false),
            ("ada\u{202e}@example.com", false),
            ("ada\u{3164}@example.com", false),
            ("ada@bücher.example", true),
            ("ada@xn--bcher-kva.example", true),
            // Not the Punycode of a domain.
            ("ada@xn--a.example", false),
            ("ada@xn--bücher.example", false),
        ] {
            assert_eq!(is_email(text), good, "{text}");
        }
        assert!(is_email(&format!("{}@example.com", "a".repeat(64))));
        assert!(!is_email(&format!("{}@example.com", "a".repeat(65))));
        assert!(is_uuid("3fa85f64-5717-4562-b3fc-2c963f66afa6"));
        assert!(!is_uuid("3fa85f6405717-4562-b3fc-2c963f66afa6") && !is_uuid("3fa85f64"));
    }
}
