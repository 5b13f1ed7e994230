//! Text in the bytes that carry it: as it stands, percent-encoded, or escaped in JSON.
//!
//! Owns the way from a character to its bytes and back. A character is put back in the form it had, in exactly as many bytes:
//! what surrounds it stays where it is, and nothing is ever written anew.

use std::ops::Range;

/// What stands for bytes that are no text; it is never replaced.
pub(super) const NO_TEXT: char = '\u{fffd}';

/// A character, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) character: char,
    range: Range<usize>,
    form: Form,
}

/// How a character is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// UTF-8, each byte of which may be percent-encoded.
    Bytes,
    /// `\u0041`, or two of them.
    Escaped,
    /// Not to be replaced: `\n`, a `+` for a space, bytes that are no text.
    Fixed,
}

/// The characters of a list of units.
pub(super) fn characters(units: &[Unit]) -> Vec<char> {
    units.iter().map(|unit| unit.character).collect()
}

/// Reads text as it stands.
pub(super) fn plain(bytes: &[u8], range: Range<usize>) -> Vec<Unit> {
    decode(bytes_of(bytes, range, false, false))
}

/// Reads percent-encoded text; in a query `+` is a space.
pub(super) fn percent(bytes: &[u8], range: Range<usize>, plus_is_space: bool) -> Vec<Unit> {
    decode(bytes_of(bytes, range, true, plus_is_space))
}

/// Reads what stands between the quotes of a JSON string, also where it is malformed.
pub(super) fn json(bytes: &[u8], range: Range<usize>) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut at = range.start;
    while at < range.end {
        if bytes[at] != b'\\' {
            let end = bytes[at..range.end].iter().position(|byte| *byte == b'\\').map_or(range.end, |next| at + next);
            units.extend(plain(bytes, at..end));
            at = end;
            continue;
        }
        let (character, length, form) = escape(&bytes[at..range.end]);
        units.push(Unit { character, range: at..at + length, form });
        at += length;
    }
    units
}

/// What an escape stands for, and how long it is.
fn escape(bytes: &[u8]) -> (char, usize, Form) {
    let short = |character| (character, 2.min(bytes.len()), Form::Fixed);
    match bytes.get(1) {
        Some(b'n') => short('\n'),
        Some(b'r') => short('\r'),
        Some(b't') => short('\t'),
        Some(b'b') => short('\u{8}'),
        Some(b'f') => short('\u{c}'),
        Some(byte @ (b'"' | b'\\' | b'/')) => short(char::from(*byte)),
        Some(b'u') => {
            // Up to where it goes wrong: another character there might make it right.
            let Some(first) = hex4(bytes, 2) else { return (NO_TEXT, broken(bytes, 2), Form::Fixed) };
            let low = (bytes.get(6..8) == Some(b"\\u")).then(|| hex4(bytes, 8)).flatten();
            let pair = match (first, low) {
                (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00))
                }
                _ => None,
            };
            match (pair, char::from_u32(first)) {
                (Some(character), _) => (character, 12, Form::Escaped),
                (None, Some(character)) => (character, 6, Form::Escaped),
                // Half of a pair.
                (None, None) => (NO_TEXT, 6, Form::Fixed),
            }
        }
        // No escape that JSON knows: it is the body's mistake, and stays.
        Some(byte) if byte.is_ascii() => (NO_TEXT, 2, Form::Fixed),
        _ => (NO_TEXT, 1, Form::Fixed),
    }
}

/// Where an escape ends that is none: after the first byte that is no hexadecimal digit.
fn broken(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    while end < bytes.len() && bytes[end].is_ascii_hexdigit() {
        end += 1;
    }
    if bytes.get(end).is_some_and(u8::is_ascii) && bytes[end] != b'\\' { end + 1 } else { end }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

/// A byte of the text, and where it is written.
struct Carried {
    byte: u8,
    range: Range<usize>,
    is_fixed: bool,
}

fn bytes_of(bytes: &[u8], range: Range<usize>, is_percent: bool, plus_is_space: bool) -> Vec<Carried> {
    let mut carried = Vec::with_capacity(range.len());
    let mut at = range.start;
    while at < range.end {
        let digit =
            |offset: usize| (at + offset < range.end).then(|| char::from(bytes[at + offset]).to_digit(16)).flatten();
        let (byte, length, is_fixed) = match bytes[at] {
            b'+' if plus_is_space => (b' ', 1, true),
            b'%' if is_percent => match (digit(1), digit(2)) {
                (Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or(b'%'), 3, false),
                _ => (b'%', 1, false),
            },
            byte => (byte, 1, false),
        };
        carried.push(Carried { byte, range: at..at + length, is_fixed });
        at += length;
    }
    carried
}

fn decode(carried: Vec<Carried>) -> Vec<Unit> {
    let text: Vec<u8> = carried.iter().map(|one| one.byte).collect();
    let mut units = Vec::with_capacity(text.len());
    let mut at = 0;
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let last = at + character.len_utf8() - 1;
            let form = if carried[at].is_fixed { Form::Fixed } else { Form::Bytes };
            units.push(Unit { character, range: carried[at].range.start..carried[last].range.end, form });
            at = last + 1;
        }
        for _ in chunk.invalid() {
            units.push(Unit { character: NO_TEXT, range: carried[at].range.clone(), form: Form::Fixed });
            at += 1;
        }
    }
    units
}

impl Unit {
    /// Whether another character of the same length can be put in its place.
    fn takes(&self, character: char) -> bool {
        self.form != Form::Fixed && character.len_utf8() == self.character.len_utf8()
    }

    /// Puts a character in the place of this one, if it is of the same length.
    pub(super) fn put(&self, bytes: &mut [u8], character: char) {
        if character == self.character || !self.takes(character) {
            return;
        }
        let place = &mut bytes[self.range.clone()];
        match self.form {
            Form::Fixed => {}
            Form::Bytes => {
                let mut buffer = [0; 4];
                let mut at = 0;
                for byte in character.encode_utf8(&mut buffer).bytes() {
                    at += put_byte(&mut place[at..], byte);
                }
            }
            Form::Escaped => {
                let mut buffer = [0; 2];
                for (index, unit) in character.encode_utf16(&mut buffer).iter().enumerate() {
                    put_hex(&mut place[index * 6 + 2..index * 6 + 6], u32::from(*unit));
                }
            }
        }
    }
}

/// Writes a byte as the one was written that is there; returns how many bytes that took.
fn put_byte(place: &mut [u8], byte: u8) -> usize {
    // A `%` that stands for itself is never replaced: only letters, digits and what is beyond ASCII are.
    if place.len() >= 3 && place[0] == b'%' {
        put_hex(&mut place[1..3], u32::from(byte));
        3
    } else {
        place[0] = byte;
        1
    }
}

/// Writes hexadecimal digits in the case of those that are there.
fn put_hex(place: &mut [u8], mut value: u32) {
    let is_lower = place.iter().any(u8::is_ascii_lowercase);
    for digit in place.iter_mut().rev() {
        let character = char::from_digit(value % 16, 16).unwrap_or('0');
        let character = if is_lower { character } else { character.to_ascii_uppercase() };
        *digit = u8::try_from(character).unwrap_or(b'0');
        value /= 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(units: &[Unit]) -> String {
        units.iter().map(|unit| unit.character).collect()
    }

    /// Every letter and digit becomes the one given, in the form it had.
    fn all(mut bytes: Vec<u8>, read: impl Fn(&[u8], Range<usize>) -> Vec<Unit>) -> Vec<u8> {
        for unit in read(&bytes.clone(), 0..bytes.len()) {
            let new = match unit.character.len_utf8() {
                1 if unit.character.is_ascii_alphanumeric() => 'Z',
                2 => 'ж',
                3 => '山',
                4 => '\u{1f400}',
                _ => continue,
            };
            if unit.character != NO_TEXT {
                unit.put(&mut bytes, new);
            }
        }
        bytes
    }

    #[test]
    fn characters_are_put_back_in_the_form_they_had() {
        for (sent, read, written) in [
            (
                r#"aé\u0041\u00e9\u20AC\ud83d\ude00\n\"b"#,
                "aéAé€\u{1f600}\n\"b",
                r#"Zж\u005A\u0436\u5C71\ud83d\udc00\n\"Z"#,
            ),
            (r"\ud83d x\u12", "\u{fffd} x\u{fffd}", r"\ud83d Z\u12"),
            (r"\u12zz\u", "\u{fffd}z\u{fffd}", r"\u12zZ\u"),
            (r"\qq\", "\u{fffd}q\u{fffd}", r"\qZ\"),
        ] {
            let units = json(sent.as_bytes(), 0..sent.len());
            assert_eq!(text(&units), read);
            assert_eq!(String::from_utf8(all(sent.into(), json)).unwrap(), written, "{sent}");
        }
        let query = |bytes: &[u8], range| percent(bytes, range, true);
        for (sent, read, written) in [
            ("a+b%20c%41%c3%A9é%", "a b cAéé%", "Z+Z%20Z%5A%d0%B6ж%"),
            ("%zz%4", "%zz%4", "%ZZ%Z"),
            ("%ff%00x", "\u{fffd}\0x", "%ff%00Z"),
        ] {
            let units = query(sent.as_bytes(), 0..sent.len());
            assert_eq!(text(&units), read);
            assert_eq!(String::from_utf8(all(sent.into(), query)).unwrap(), written, "{sent}");
        }
        let broken = b"ab\xc3cd\xff\xe2\x82".to_vec();
        assert_eq!(text(&plain(&broken, 0..broken.len())), "ab\u{fffd}cd\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(all(broken, plain), b"ZZ\xc3ZZ\xff\xe2\x82");
    }
}
