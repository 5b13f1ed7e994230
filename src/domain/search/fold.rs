//! Text without what a search overlooks: case, accents, compatibility forms. Each folded character remembers the part of the
//! original that it stands for, so that a match can be shown there.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

/// A folded character, and the bytes of the original text that it stands for.
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

/// Folds a text cluster by cluster, a cluster being what normalisation may compose: a character with its marks, a Hangul
/// syllable.
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

/// Whether a character may melt into the one before it: marks, the vowels and finals of Hangul, the half-width marks of kana.
fn extends(character: char) -> bool {
    !character.is_ascii()
        && (matches!(character, '\u{1160}'..='\u{11FF}' | '\u{FF9E}' | '\u{FF9F}') || is_mark(character))
}

fn fold_cluster(cluster: &str, push: &mut impl FnMut(char)) {
    let without_accents = cluster.nfkd().filter(|character| !matches!(character, '\u{300}'..='\u{36F}'));
    for character in without_accents.nfkc().filter(|&character| !is_ignorable(character)) {
        // Each character for itself: whether a Greek word ends here is not the same in a text and in what is searched of it.
        for lower in character.to_lowercase() {
            match plain(lower) {
                Some(letters) => letters.chars().for_each(&mut *push),
                None => push(lower),
            }
        }
    }
}

/// What only says how to draw or break: joiners, soft hyphens, variation selectors, key caps. The space of no width is a
/// space.
fn is_ignorable(character: char) -> bool {
    use GeneralCategory::{EnclosingMark, Format};
    matches!(character, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
        || character != '\u{200B}' && matches!(get_general_category(character), EnclosingMark | Format)
}

/// How letters that do not decompose are written on a keyboard without them.
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
    fn case_accents_and_forms_are_overlooked() {
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
    fn a_folded_character_knows_where_it_comes_from() {
        let text = "aßu\u{308}";
        let parts: Vec<_> = fold(text).iter().map(|folded| &text[folded.start..folded.end]).collect();
        assert_eq!(parts, ["a", "ß", "ß", "u\u{308}"]);
    }
}
