//! Cursors: opaque, signed, and valid only for the list, order and filters they were issued for.
//!
//! A cursor is base64url of the format number, a digest of its binding, the position, and the signature.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{ErrorCode, v2::parameters::Cursor};
use sha2::{Digest, Sha256};

use crate::{
    auth::{SIGNATURE_LEN, Signer},
    domain::{KeysetPosition, SortValue, Timestamp},
};

/// The version of the format. Cursors of other versions are rejected, and the client starts at the first page.
const FORMAT: u8 = 1;

/// Number of bytes of a binding's digest.
const BINDING_LEN: usize = 8;

/// The position of a page in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CursorPosition {
    /// After this row.
    After(KeysetPosition),
    /// After this number of rows, in lists that are not sorted by a column.
    Offset(i64),
}

/// Encodes and decodes cursors.
#[derive(Clone)]
pub struct Cursors(Signer);

/// The scope of a cursor: a list, and everything that determines its rows and their order.
pub(super) struct CursorBinding([u8; BINDING_LEN]);

impl CursorBinding {
    /// `list` identifies the list and its owner; `selection` is its order and filters.
    pub(super) fn new(list: &str, selection: &impl std::fmt::Debug) -> Self {
        // The derived `Debug` of a filter contains every field, and quotes text: it is equal only for equal filters.
        let digest = Sha256::digest(format!("{list}\n{selection:?}"));
        let mut binding = [0; BINDING_LEN];
        binding.copy_from_slice(&digest[..BINDING_LEN]);
        Self(binding)
    }
}

impl Cursors {
    /// Creates a codec whose cursors are signed by `signer`.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self(signer)
    }

    /// Returns the cursor of a position.
    pub(super) fn encode(&self, binding: &CursorBinding, position: &CursorPosition) -> String {
        let mut bytes = vec![FORMAT];
        bytes.extend(binding.0);
        match position {
            CursorPosition::After(KeysetPosition { value: SortValue::Timestamp(time), id }) => {
                bytes.push(b'i');
                bytes.extend(id.to_be_bytes());
                bytes.extend(time.micros().to_be_bytes());
            }
            CursorPosition::After(KeysetPosition { value: SortValue::Text(text), id }) => {
                bytes.push(b't');
                bytes.extend(id.to_be_bytes());
                bytes.extend(text.as_bytes());
            }
            CursorPosition::Offset(offset) => {
                bytes.push(b'o');
                bytes.extend(offset.to_be_bytes());
            }
        }
        let signature = self.0.sign(&bytes);
        bytes.extend(signature);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Returns the position of a cursor, or `None` without one. A cursor with another binding is rejected.
    pub(super) fn decode(
        &self,
        binding: &CursorBinding,
        cursor: Option<&Cursor>,
    ) -> Result<Option<CursorPosition>, ErrorCode> {
        let Some(Cursor(text)) = cursor.filter(|Cursor(text)| !text.is_empty()) else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ErrorCode::InvalidCursor)?;
        let position = bytes
            .len()
            .checked_sub(SIGNATURE_LEN)
            .map(|end| bytes.split_at(end))
            .filter(|(signed, signature)| self.0.verify(signed, signature))
            .and_then(|(signed, _)| signed.strip_prefix(&[FORMAT]))
            .and_then(|rest| rest.strip_prefix(&binding.0))
            .and_then(decode_position);
        position.map(Some).ok_or(ErrorCode::InvalidCursor)
    }
}

fn decode_position(bytes: &[u8]) -> Option<CursorPosition> {
    let (kind, rest) = bytes.split_first()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let number = i64::from_be_bytes(*number);
    let value = match kind {
        b'i' => SortValue::Timestamp(Timestamp::from_micros(i64::from_be_bytes(rest.try_into().ok()?))),
        b't' => SortValue::Text(String::from_utf8(rest.to_vec()).ok()?),
        b'o' if rest.is_empty() => return Some(CursorPosition::Offset(number)),
        _ => return None,
    };
    Some(CursorPosition::After(KeysetPosition { value, id: number }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursors(secret: &str) -> Cursors {
        Cursors::new(Signer::new(&secret.into(), &[], "cursors"))
    }

    fn positions() -> [CursorPosition; 3] {
        let time = SortValue::Timestamp(Timestamp::from_micros(-5));
        [
            CursorPosition::After(KeysetPosition { value: time, id: i64::MAX }),
            CursorPosition::After(KeysetPosition { value: SortValue::Text("Zürich 🏔".into()), id: 7 }),
            CursorPosition::Offset(20),
        ]
    }

    #[test]
    fn cursor_decodes_to_its_position() {
        let binding = CursorBinding::new("lists of 1", &("created_at", Some("q")));
        for position in positions() {
            let cursor = Cursor(cursors("a").encode(&binding, &position));
            assert_eq!(cursors("a").decode(&binding, Some(&cursor)), Ok(Some(position)));
        }
        assert_eq!(cursors("a").decode(&binding, None), Ok(None));
    }

    #[test]
    fn altered_cursor_and_cursor_of_another_list_are_rejected() {
        let binding = CursorBinding::new("lists of 1", &"created_at");
        for position in positions() {
            let valid = cursors("a").encode(&binding, &position);
            let decoded = |text: &str| cursors("a").decode(&binding, Some(&Cursor(text.to_owned())));
            for index in 0..valid.len() {
                let mut bytes = valid.clone().into_bytes();
                bytes[index] = if bytes[index] == b'A' { b'Q' } else { b'A' };
                let altered = String::from_utf8(bytes).unwrap();
                assert_eq!(decoded(&altered), Err(ErrorCode::InvalidCursor), "{altered}");
            }
            for length in 1..valid.len() {
                assert_eq!(decoded(&valid[..length]), Err(ErrorCode::InvalidCursor));
            }
            for invalid in [format!("{valid}A"), format!("{valid}="), "%".into(), "💥".into()] {
                assert_eq!(decoded(&invalid), Err(ErrorCode::InvalidCursor), "{invalid}");
            }
            let cursor = Cursor(valid);
            for (list, order) in [("lists of 2", "created_at"), ("lists of 1", "-created_at")] {
                let other = CursorBinding::new(list, &order);
                assert_eq!(cursors("a").decode(&other, Some(&cursor)), Err(ErrorCode::InvalidCursor));
            }
            assert_eq!(cursors("b").decode(&binding, Some(&cursor)), Err(ErrorCode::InvalidCursor));
        }
    }

    #[test]
    fn cursor_of_another_format_is_rejected() {
        let binding = CursorBinding::new("x", &0);
        let signer = Signer::new(&"a".into(), &[], "cursors");
        let mut bytes = vec![FORMAT + 1];
        bytes.extend(binding.0);
        bytes.push(b'o');
        bytes.extend(20_i64.to_be_bytes());
        let signature = signer.sign(&bytes);
        bytes.extend(signature);
        let cursor = Cursor(URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(cursors("a").decode(&binding, Some(&cursor)), Err(ErrorCode::InvalidCursor));
    }
}
