//! Cursors: opaque, signed, and good only for the list, order and filters they were made for.
//!
//! A cursor is base64url of: the format's number, a digest of what it is bound to, the place, and the signature.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{ErrorCode, v2::parameters::Cursor};
use sha2::{Digest, Sha256};

use crate::{
    auth::{SIGNATURE_LEN, Signer},
    db::repositories::keyset::{KeysetPosition, SortValue},
};

/// Changes with the format: a cursor of another one is refused, and its client starts anew.
const FORMAT: u8 = 1;

/// How many bytes of the digest of a binding are kept.
const BINDING: usize = 8;

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CursorPosition {
    /// After the row with this key.
    After(KeysetPosition),
    /// After so many rows, where the order is no column's.
    Offset(i64),
}

/// Makes and reads cursors.
#[derive(Clone)]
pub struct Cursors(Signer);

/// What a cursor is good for: a list and everything that decides which rows it has and in which order.
pub(super) struct CursorBinding([u8; BINDING]);

impl CursorBinding {
    /// `list` names the list and its owner; `selection` is its order and filters.
    pub(super) fn new(list: &str, selection: &impl std::fmt::Debug) -> Self {
        // The derived Debug of filters names every field and quotes text: it is the same for the same selection only.
        let digest = Sha256::digest(format!("{list}\n{selection:?}"));
        let mut binding = [0; BINDING];
        binding.copy_from_slice(&digest[..BINDING]);
        Self(binding)
    }
}

impl Cursors {
    /// Signs with this.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self(signer)
    }

    /// The cursor of a place.
    pub(super) fn write(&self, binding: &CursorBinding, place: &CursorPosition) -> String {
        let mut bytes = vec![FORMAT];
        bytes.extend(binding.0);
        match place {
            CursorPosition::After(KeysetPosition { key: SortValue::Instant(instant), id }) => {
                bytes.push(b'i');
                bytes.extend(id.to_be_bytes());
                bytes.extend(instant.to_be_bytes());
            }
            CursorPosition::After(KeysetPosition { key: SortValue::Text(text), id }) => {
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

    /// The place of a cursor that was made for this.
    pub(super) fn read(
        &self,
        binding: &CursorBinding,
        cursor: Option<&Cursor>,
    ) -> Result<Option<CursorPosition>, ErrorCode> {
        let Some(Cursor(text)) = cursor.filter(|Cursor(text)| !text.is_empty()) else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ErrorCode::InvalidCursor)?;
        let place = bytes
            .len()
            .checked_sub(SIGNATURE_LEN)
            .map(|end| bytes.split_at(end))
            .filter(|(signed, signature)| self.0.verify(signed, signature))
            .and_then(|(signed, _)| signed.strip_prefix(&[FORMAT]))
            .and_then(|rest| rest.strip_prefix(&binding.0))
            .and_then(place);
        place.map(Some).ok_or(ErrorCode::InvalidCursor)
    }
}

fn place(bytes: &[u8]) -> Option<CursorPosition> {
    let (kind, rest) = bytes.split_first()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let number = i64::from_be_bytes(*number);
    Some(match kind {
        b'i' => {
            let instant = i64::from_be_bytes(rest.try_into().ok()?);
            CursorPosition::After(KeysetPosition { key: SortValue::Instant(instant), id: number })
        }
        b't' => CursorPosition::After(KeysetPosition {
            key: SortValue::Text(String::from_utf8(rest.to_vec()).ok()?),
            id: number,
        }),
        b'o' if rest.is_empty() => CursorPosition::Offset(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursors(secret: &str) -> Cursors {
        Cursors::new(Signer::new(&secret.into(), &[], "cursors"))
    }

    fn places() -> [CursorPosition; 3] {
        [
            CursorPosition::After(KeysetPosition { key: SortValue::Instant(-5), id: i64::MAX }),
            CursorPosition::After(KeysetPosition { key: SortValue::Text("Zürich 🏔".into()), id: 7 }),
            CursorPosition::Offset(20),
        ]
    }

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let binding = CursorBinding::new("lists of 1", &("created_at", Some("q")));
        for place in places() {
            let cursor = Cursor(cursors("a").write(&binding, &place));
            assert_eq!(cursors("a").read(&binding, Some(&cursor)), Ok(Some(place)));
        }
        assert_eq!(cursors("a").read(&binding, None), Ok(None));
    }

    #[test]
    fn what_was_tampered_with_or_made_for_something_else_is_refused() {
        let binding = CursorBinding::new("lists of 1", &"created_at");
        for place in places() {
            let good = cursors("a").write(&binding, &place);
            let refused = |text: &str| cursors("a").read(&binding, Some(&Cursor(text.to_owned())));
            for index in 0..good.len() {
                let mut bytes = good.clone().into_bytes();
                bytes[index] = if bytes[index] == b'A' { b'Q' } else { b'A' };
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(refused(&changed), Err(ErrorCode::InvalidCursor), "{changed}");
            }
            for length in 1..good.len() {
                assert_eq!(refused(&good[..length]), Err(ErrorCode::InvalidCursor));
            }
            for bad in [format!("{good}A"), format!("{good}="), "%".into(), "💥".into()] {
                assert_eq!(refused(&bad), Err(ErrorCode::InvalidCursor), "{bad}");
            }
            let cursor = Cursor(good);
            for (list, order) in [("lists of 2", "created_at"), ("lists of 1", "-created_at")] {
                let other = CursorBinding::new(list, &order);
                assert_eq!(cursors("a").read(&other, Some(&cursor)), Err(ErrorCode::InvalidCursor));
            }
            assert_eq!(cursors("b").read(&binding, Some(&cursor)), Err(ErrorCode::InvalidCursor));
        }
    }

    #[test]
    fn a_cursor_of_another_format_is_refused() {
        let binding = CursorBinding::new("x", &0);
        let signer = Signer::new(&"a".into(), &[], "cursors");
        let mut bytes = vec![FORMAT + 1];
        bytes.extend(binding.0);
        bytes.push(b'o');
        bytes.extend(20_i64.to_be_bytes());
        let signature = signer.sign(&bytes);
        bytes.extend(signature);
        let cursor = Cursor(URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(cursors("a").read(&binding, Some(&cursor)), Err(ErrorCode::InvalidCursor));
    }
}
