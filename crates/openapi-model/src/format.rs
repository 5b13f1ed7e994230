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
/// This is the one definition of the times that requests and the command line accept:
///
/// * RFC 3339, also in lower case, and with a space instead of `T`;
/// * the extended and the basic format of ISO 8601, such as `2026-01-31T12:00:00Z` and `20260131T120000Z`, also without seconds or
///   minutes;
/// * any number of fractional digits of the second after a point or a comma (C#, Go and Java; digits after the ninth are removed);
/// * an offset without a colon (`+0000`, Python), of hours only, or whose `+` a query string turned into a space.
///
/// A time without an offset is ambiguous and therefore invalid. So is a time outside the years 1 to 9999 in UTC, which RFC 3339
/// cannot represent, and a leap second at a different time than 23:59:60 UTC.
#[must_use]
pub fn normalize_date_time(text: &str) -> Option<String> {
    parse_date_time(text).filter(|time| time.is_in_range).map(|time| time.normalized)
}

/// Returns whether `text` is a time outside the years 1 to 9999 in UTC.
pub(crate) fn is_date_time_out_of_range(text: &str) -> bool {
    parse_date_time(text).is_some_and(|time| !time.is_in_range)
}

/// A time in the format of RFC 3339, and whether RFC 3339 can represent it in UTC.
struct ParsedTime {
    normalized: String,
    is_in_range: bool,
}

fn parse_date_time(text: &str) -> Option<ParsedTime> {
    let text = text.trim();
    let basic = text.get(..8).filter(|date| date.bytes().all(|digit| digit.is_ascii_digit()));
    let (date, rest) = match basic {
        Some(date) => (format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]), &text[8..]),
        None => (text.get(..10)?.to_owned(), text.get(10..)?),
    };
    if !is_date(&date) {
        return None;
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-', ' '])?);
    let (time, fraction) = match time.split_once(['.', ',']) {
        Some((time, digits)) => (time, Some(digits)),
        None => (time, None),
    };
    let [hour, minute, second] = match basic {
        Some(_) if !time.is_ascii() || time.len() % 2 != 0 => return None,
        // Omitted fields are absent.
        Some(_) => [time.get(..2), time.get(2..4), time.get(4..).filter(|second| !second.is_empty())],
        None => {
            let mut fields = time.splitn(3, ':');
            [fields.next(), fields.next(), fields.next()]
        }
    };
    let has_seconds = second.is_some();
    let (hour, minute) = (two_digits(hour?, 23)?, two_digits(minute.unwrap_or("00"), 59)?);
    let second = two_digits(second.unwrap_or("00"), 60)?;
    let offset = offset_minutes(offset)?;
    let utc_minute = i32::from(hour) * 60 + i32::from(minute) - offset.unwrap_or_default();
    let is_leap_second = second == 60;
    if is_leap_second && utc_minute.rem_euclid(MINUTES_PER_DAY) != MINUTES_PER_DAY - 1 {
        return None;
    }
    // A leap second at the end of the last year is counted as the first second of the next one.
    let latest = if is_leap_second { MINUTES_PER_DAY - 2 } else { MINUTES_PER_DAY - 1 };
    let is_in_range = (date != FIRST_DATE || utc_minute >= 0) && (date != LAST_DATE || utc_minute <= latest);
    let mut normalized = format!("{date}T{hour:02}:{minute:02}:{second:02}");
    if let Some(digits) = fraction {
        // In ISO 8601, a fraction without seconds is one of a minute or an hour.
        if !has_seconds || digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        normalized.push('.');
        normalized.push_str(digits.get(..9).unwrap_or(digits));
    }
    match offset {
        None => normalized.push('Z'),
        Some(minutes) => {
            let sign = if rest.contains('-') { '-' } else { '+' };
            let minutes = minutes.abs();
            normalized += &format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
    }
    Some(ParsedTime { normalized, is_in_range })
}

/// The first and the last date that RFC 3339 and most languages can represent.
const FIRST_DATE: &str = "0001-01-01";
const LAST_DATE: &str = "9999-12-31";
const MINUTES_PER_DAY: i32 = 24 * 60;

/// Returns the minutes of an offset; `Some(None)` for `Z`, and `None` if it is not an offset.
fn offset_minutes(offset: &str) -> Option<Option<i32>> {
    if matches!(offset, "Z" | "z") {
        return Some(None);
    }
    let (hours, minutes) = match offset.get(1..)? {
        digits if digits.contains(':') => digits.split_once(':')?,
        digits => (digits.get(..2)?, digits.get(2..).filter(|minutes| !minutes.is_empty()).unwrap_or("00")),
    };
    let minutes = i32::from(two_digits(hours, 23)?) * 60 + i32::from(two_digits(minutes, 59)?);
    Some(match offset.chars().next()? {
        '+' | ' ' => Some(minutes),
        '-' => Some(-minutes),
        _ => return None,
    })
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
            ("2016-12-31T15:59:60.5-08:00", Some("2016-12-31T15:59:60.5-08:00")),
            ("2017-01-01T05:29:60+05:30", Some("2017-01-01T05:29:60+05:30")),
            ("2026-01-01T00:00:00-00:00", Some("2026-01-01T00:00:00-00:00")),
            ("2026-01-01T00Z", Some("2026-01-01T00:00:00Z")),
            ("20260101T000000Z", Some("2026-01-01T00:00:00Z")),
            ("20260131T123456.5+0200", Some("2026-01-31T12:34:56.5+02:00")),
            ("20260131T1234Z", Some("2026-01-31T12:34:00Z")),
            ("20260131T12Z", Some("2026-01-31T12:00:00Z")),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
            ("9999-12-31T23:59:59.999999999Z", Some("9999-12-31T23:59:59.999999999Z")),
            ("9999-12-31T23:59:59+01:00", Some("9999-12-31T23:59:59+01:00")),
            // Years outside 1 to 9999 in UTC.
            ("9999-12-31T23:59:59-01:00", None),
            ("9999-12-31T23:00:00-01:00", None),
            ("9999-12-31T23:59:60Z", None),
            ("0001-01-01T00:00:00+00:01", None),
            ("0000-12-31T23:00:00Z", None),
            ("+10000-01-01T00:00:00Z", None),
            // No minute but the last one of a day in UTC has a leap second.
            ("2027-06-30T12:30:60Z", None),
            ("2027-06-30T23:59:60+01:00", None),
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
            ("20260101T00000Z", None),
            ("20260101T00:00:00Z", None),
            ("2026-01-01T000000Z", None),
            ("20260230T000000Z", None),
            ("20260101T000000", None),
            ("20260101T00000000Z", None),
            ("20260101TZ", None),
            ("20260101T0000é0Z", None),
            ("2026-01-01T00:00.5Z", None),
            ("2026-01-01T00.5Z", None),
            ("2026-01-01T:00Z", None),
            ("2026-01-01T00:00:00:00Z", None),
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
