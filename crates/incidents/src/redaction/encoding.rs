//! Characters and their encoded form: UTF-8, percent-encoding, or JSON escapes.
//!
//! A character is replaced in place, in the same encoding and in the same number of bytes, so that the bytes around it do not
//! move.

use std::ops::Range;

/// Represents bytes that cannot be decoded. They are never replaced.
pub(super) const UNDECODABLE: char = '\u{fffd}';

/// A character and the bytes that encode it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EncodedChar {
    character: char,
    range: Range<usize>,
    encoding: Encoding,
}

/// The encoding of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// UTF-8; each byte may be percent-encoded.
    Utf8,
    /// `\u0041`, or a surrogate pair.
    UnicodeEscape,
    /// Cannot be replaced: `\n`, `+` for a space, bytes that cannot be decoded.
    Fixed,
}

/// Returns the decoded characters.
pub(super) fn characters(text: &[EncodedChar]) -> Vec<char> {
    text.iter().map(|encoded| encoded.character).collect()
}

/// Decodes UTF-8.
pub(super) fn decode_utf8(bytes: &[u8], range: Range<usize>) -> Vec<EncodedChar> {
    decode(encoded_bytes(bytes, range, false, false))
}

/// Decodes percent-encoded text. In a query, `+` is a space.
pub(super) fn decode_percent(bytes: &[u8], range: Range<usize>, plus_is_space: bool) -> Vec<EncodedChar> {
    decode(encoded_bytes(bytes, range, true, plus_is_space))
}

/// Decodes the content of a JSON string, malformed or not.
pub(super) fn decode_json(bytes: &[u8], range: Range<usize>) -> Vec<EncodedChar> {
    let mut text = Vec::new();
    let mut at = range.start;
    while at < range.end {
        if bytes[at] != b'\\' {
            let end = bytes[at..range.end].iter().position(|byte| *byte == b'\\').map_or(range.end, |next| at + next);
            text.extend(decode_utf8(bytes, at..end));
            at = end;
            continue;
        }
        let (character, length, encoding) = decode_escape(&bytes[at..range.end]);
        text.push(EncodedChar { character, range: at..at + length, encoding });
        at += length;
    }
    text
}

/// Returns the character of an escape, the length of the escape and its encoding.
fn decode_escape(bytes: &[u8]) -> (char, usize, Encoding) {
    let short = |character| (character, 2.min(bytes.len()), Encoding::Fixed);
    match bytes.get(1) {
        Some(b'n') => short('\n'),
        Some(b'r') => short('\r'),
        Some(b't') => short('\t'),
        Some(b'b') => short('\u{8}'),
        Some(b'f') => short('\u{c}'),
        Some(byte @ (b'"' | b'\\' | b'/')) => short(char::from(*byte)),
        Some(b'u') => {
            // Include the character that makes the escape invalid: another one might make it valid.
            let Some(first) = hex4(bytes, 2) else {
                return (UNDECODABLE, invalid_escape_length(bytes, 2), Encoding::Fixed);
            };
            let low = (bytes.get(6..8) == Some(b"\\u")).then(|| hex4(bytes, 8)).flatten();
            let pair = match (first, low) {
                (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00))
                }
                _ => None,
            };
            match (pair, char::from_u32(first)) {
                (Some(character), _) => (character, 12, Encoding::UnicodeEscape),
                (None, Some(character)) => (character, 6, Encoding::UnicodeEscape),
                // An unpaired surrogate.
                (None, None) => (UNDECODABLE, 6, Encoding::Fixed),
            }
        }
        // Not a JSON escape: the body stays invalid.
        Some(byte) if byte.is_ascii() => (UNDECODABLE, 2, Encoding::Fixed),
        _ => (UNDECODABLE, 1, Encoding::Fixed),
    }
}

/// Returns the length of an invalid escape: it ends after the first byte that is not a hexadecimal digit.
fn invalid_escape_length(bytes: &[u8], start: usize) -> usize {
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

/// A decoded byte and the bytes that encode it.
struct EncodedByte {
    byte: u8,
    range: Range<usize>,
    is_fixed: bool,
}

fn encoded_bytes(bytes: &[u8], range: Range<usize>, is_percent: bool, plus_is_space: bool) -> Vec<EncodedByte> {
    let mut decoded = Vec::with_capacity(range.len());
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
        decoded.push(EncodedByte { byte, range: at..at + length, is_fixed });
        at += length;
    }
    decoded
}

fn decode(encoded: Vec<EncodedByte>) -> Vec<EncodedChar> {
    let text: Vec<u8> = encoded.iter().map(|one| one.byte).collect();
    let mut characters = Vec::with_capacity(text.len());
    let mut at = 0;
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let last = at + character.len_utf8() - 1;
            let encoding = if encoded[at].is_fixed { Encoding::Fixed } else { Encoding::Utf8 };
            characters.push(EncodedChar {
                character,
                range: encoded[at].range.start..encoded[last].range.end,
                encoding,
            });
            at = last + 1;
        }
        for _ in chunk.invalid() {
            characters.push(EncodedChar {
                character: UNDECODABLE,
                range: encoded[at].range.clone(),
                encoding: Encoding::Fixed,
            });
            at += 1;
        }
    }
    characters
}

impl EncodedChar {
    /// Whether the character can be replaced with another one of the same length.
    fn accepts(&self, character: char) -> bool {
        self.encoding != Encoding::Fixed && character.len_utf8() == self.character.len_utf8()
    }

    /// Replaces the character in `bytes`, if the other one has the same length.
    pub(super) fn replace(&self, bytes: &mut [u8], character: char) {
        if character == self.character || !self.accepts(character) {
            return;
        }
        let target = &mut bytes[self.range.clone()];
        match self.encoding {
            Encoding::Fixed => {}
            Encoding::Utf8 => {
                let mut buffer = [0; 4];
                let mut at = 0;
                for byte in character.encode_utf8(&mut buffer).bytes() {
                    at += write_byte(&mut target[at..], byte);
                }
            }
            Encoding::UnicodeEscape => {
                let mut buffer = [0; 2];
                for (index, unit) in character.encode_utf16(&mut buffer).iter().enumerate() {
                    write_hex(&mut target[index * 6 + 2..index * 6 + 6], u32::from(*unit));
                }
            }
        }
    }
}

/// Writes a byte in the encoding of the existing one. Returns the length of the encoded byte.
fn write_byte(target: &mut [u8], byte: u8) -> usize {
    // A literal `%` is never replaced: only letters, digits and non-ASCII characters are.
    if target.len() >= 3 && target[0] == b'%' {
        write_hex(&mut target[1..3], u32::from(byte));
        3
    } else {
        target[0] = byte;
        1
    }
}

/// Writes hexadecimal digits in the case of the existing ones.
fn write_hex(target: &mut [u8], mut value: u32) {
    let is_lower = target.iter().any(u8::is_ascii_lowercase);
    for digit in target.iter_mut().rev() {
        let character = char::from_digit(value % 16, 16).unwrap_or('0');
        let character = if is_lower { character } else { character.to_ascii_uppercase() };
        *digit = u8::try_from(character).unwrap_or(b'0');
        value /= 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[EncodedChar]) -> String {
        characters(text).into_iter().collect()
    }

    /// Replaces every letter and digit with a fixed one of the same length.
    fn replace_all(mut bytes: Vec<u8>, read: impl Fn(&[u8], Range<usize>) -> Vec<EncodedChar>) -> Vec<u8> {
        for encoded in read(&bytes.clone(), 0..bytes.len()) {
            let new = match encoded.character.len_utf8() {
                1 if encoded.character.is_ascii_alphanumeric() => 'Z',
                2 => 'ж',
                3 => '山',
                4 => '\u{1f400}',
                _ => continue,
            };
            if encoded.character != UNDECODABLE {
                encoded.replace(&mut bytes, new);
            }
        }
        bytes
    }

    #[test]
    fn characters_are_replaced_in_their_encoding() {
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
            let text = decode_json(sent.as_bytes(), 0..sent.len());
            assert_eq!(decoded(&text), read);
            assert_eq!(String::from_utf8(replace_all(sent.into(), decode_json)).unwrap(), written, "{sent}");
        }
        let query = |bytes: &[u8], range| decode_percent(bytes, range, true);
        for (sent, read, written) in [
            ("a+b%20c%41%c3%A9é%", "a b cAéé%", "Z+Z%20Z%5A%d0%B6ж%"),
            ("%zz%4", "%zz%4", "%ZZ%Z"),
            ("%ff%00x", "\u{fffd}\0x", "%ff%00Z"),
        ] {
            let text = query(sent.as_bytes(), 0..sent.len());
            assert_eq!(decoded(&text), read);
            assert_eq!(String::from_utf8(replace_all(sent.into(), query)).unwrap(), written, "{sent}");
        }
        let invalid = b"ab\xc3cd\xff\xe2\x82".to_vec();
        assert_eq!(decoded(&decode_utf8(&invalid, 0..invalid.len())), "ab\u{fffd}cd\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(replace_all(invalid, decode_utf8), b"ZZ\xc3ZZ\xff\xe2\x82");
    }
}
