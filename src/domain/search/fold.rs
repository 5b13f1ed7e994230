//! Folding: text without the differences that a search ignores (case, accents, compatibility forms). Each folded character
//! records its range in the original text, so that a match can be highlighted there.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

/// A folded character and its byte range in the original text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) character: char,
    pub(super) start: usize,
    pub(super) end: usize,
}

pub(super) fn is_mark(character: char) -> bool {
    use GeneralCategory::{EnclosingMark, NonspacingMark, SpacingMark};
    matches!(get_general_category(character), EnclosingMark | NonspacingMark | SpacingMark)
}

/// Folds a text cluster by cluster. A cluster is a sequence that normalization may compose: a character with its marks, or a
/// Hangul syllable.
pub(super) fn fold(text: &str) -> Vec<Folded> {
    let mut folded = Vec::with_capacity(text.len());
    let mut characters = text.char_indices().peekable();
    while let Some((start, first)) = characters.next() {
        let mut end = start + first.len_utf8();
        while let Some((at, next)) = characters.next_if(|&(_, next)| extends(next)) {
            end = at + next.len_utf8();
        }
        let mut push = |character| folded.push(Folded { character, start, end });
        if first.is_ascii() && end == start + 1 {
            push(first.to_ascii_lowercase());
        } else {
            fold_cluster(&text[start..end], &mut push);
        }
    }
    folded
}

/// Returns whether a character may compose with the one before it: marks, the vowels and finals of Hangul, half-width kana marks.
fn extends(character: char) -> bool {
    !character.is_ascii()
        && (matches!(character, '\u{1160}'..='\u{11FF}' | '\u{FF9E}' | '\u{FF9F}') || is_mark(character))
}

fn fold_cluster(cluster: &str, push: &mut impl FnMut(char)) {
    let without_accents = cluster.nfkd().filter(|character| !matches!(character, '\u{300}'..='\u{36F}'));
    for character in without_accents.nfkc().filter(|&character| !is_ignorable(character)) {
        // Character by character: `str::to_lowercase` has a special sigma for the end of a word, but a query can end within a
        // word of the text.
        for lower in character.to_lowercase() {
            match plain(lower) {
                Some(letters) => letters.chars().for_each(&mut *push),
                None => push(lower),
            }
        }
    }
}

/// Returns whether a character only controls display: joiners, soft hyphens, variation selectors, key caps. The zero-width space
/// counts as a space.
fn is_ignorable(character: char) -> bool {
    use GeneralCategory::{EnclosingMark, Format};
    matches!(character, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
        || character != '\u{200B}' && matches!(get_general_category(character), EnclosingMark | Format)
}

/// Returns the usual transliteration of a letter that does not decompose.
const fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ς' => "σ",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::fold;

    fn folded(text: &str) -> String {
        fold(text).iter().map(|folded| folded.character).collect()
    }

    #[test]
    fn case_accents_and_compatibility_forms_are_ignored() {
        for (text, expected) in [
            ("Zürich", "zurich"),
            ("Zu\u{308}rich", "zurich"),
            ("TROMSØ", "tromso"),
            ("Łódź", "lodz"),
            ("Đà Nẵng", "da nang"),
            ("Straße, STRASSE, STRAẞE", "strasse, strasse, strasse"),
            ("Æsir, œuvre, Þór", "aesir, oeuvre, thor"),
            ("İstanbul Diyarbakır", "istanbul diyarbakir"),
            ("ΟΔΟΣ οδός", "οδοσ οδοσ"),
            ("Ёлка", "елка"),
            ("ｆｕｌｌ　１２", "full 12"),
            ("ﾊﾞｽ バス ハ\u{3099}ス", "バス バス バス"),
            ("\u{1112}\u{1161}\u{11AB}글", "한글"),
            ("हिन्दी", "हिन्दी"),
            ("co\u{AD}operate", "cooperate"),
            ("1\u{FE0F}\u{20E3}", "1"),
            ("👩\u{200D}🚀❤\u{FE0F}", "👩🚀❤"),
            ("½ ㎞", "1⁄2 km"),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn folded_character_has_its_range_in_the_original() {
        let text = "aßu\u{308}";
        let parts: Vec<_> = fold(text).iter().map(|folded| &text[folded.start..folded.end]).collect();
        assert_eq!(parts, ["a", "ß", "ß", "u\u{308}"]);
    }
}
