//! Tokenization, shared by both database engines so that they find the same documents.

use unicode_general_category::{GeneralCategory, get_general_category};

use super::fold::{Folded, fold, is_mark};

/// Maximum number of indexed characters of a word.
const MAX_WORD_LENGTH: usize = 64;

/// A term in a text: a range of its folded characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A folded text and its tokens.
pub(super) struct Tokenized {
    pub(super) folded: Vec<Folded>,
    pub(super) tokens: Vec<Token>,
}

/// The kind of text to tokenize. In an indexed text, the last character of a run without spaces is a separate token, so that a
/// token starts at every character. In a query, it would be redundant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    Text,
    Query,
}

impl Tokenized {
    pub(super) fn new(text: &str, kind: TextKind) -> Self {
        let folded = fold(text);
        let mut tokens = Vec::new();
        let mut start = 0;
        while let Some(first) = folded.get(start) {
            let class = classify(first.character);
            let mut end = start + 1;
            if matches!(class, Class::Word | Class::Unspaced) {
                while folded.get(end).is_some_and(|next| class.continues_with(next.character)) {
                    end += 1;
                }
            }
            match class {
                Class::Word => tokens.push(Token { start, end: end.min(start + MAX_WORD_LENGTH) }),
                Class::Symbol => tokens.push(Token { start, end }),
                Class::Unspaced => {
                    let last = if kind == TextKind::Query && end - start > 1 { end - 1 } else { end };
                    tokens.extend((start..last).map(|at| Token { start: at, end: end.min(at + 2) }));
                }
                Class::Separator => {}
            }
            start = end;
        }
        Self { folded, tokens }
    }

    pub(super) fn characters(&self, token: Token) -> impl Iterator<Item = char> + '_ {
        self.folded[token.start..token.end].iter().map(|folded| folded.character)
    }

    pub(super) fn text(&self, token: Token) -> String {
        self.characters(token).collect()
    }
}

/// The role of a character in a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Part of a word.
    Word,
    /// Part of a run without word boundaries, of which each pair of adjacent characters is a token.
    Unspaced,
    /// A separate token.
    Symbol,
    Separator,
}

impl Class {
    fn continues_with(self, next: char) -> bool {
        let next_is = classify(next);
        // A mark continues the run before it. Without one, it is a separator.
        next_is == self || next_is == Self::Separator && is_mark(next)
    }
}

fn classify(character: char) -> Class {
    if character.is_ascii() {
        return if character.is_ascii_alphanumeric() { Class::Word } else { Class::Separator };
    }
    use GeneralCategory as G;
    match get_general_category(character) {
        // Regional indicators: two of them are a flag.
        _ if matches!(character, '\u{1F1E6}'..='\u{1F1FF}') => Class::Unspaced,
        G::OtherSymbol => Class::Symbol,
        // Arrows and other signs that have an emoji form; `+` and `<` are punctuation.
        G::MathSymbol if character >= '\u{2190}' => Class::Symbol,
        G::UppercaseLetter
        | G::LowercaseLetter
        | G::TitlecaseLetter
        | G::ModifierLetter
        | G::OtherLetter
        | G::DecimalNumber
        | G::LetterNumber
        | G::OtherNumber => {
            if is_unspaced(character) {
                Class::Unspaced
            } else {
                Class::Word
            }
        }
        G::NonspacingMark | G::SpacingMark if is_unspaced(character) => Class::Unspaced,
        _ => Class::Separator,
    }
}

/// Returns whether a letter belongs to a script without spaces between words.
const fn is_unspaced(letter: char) -> bool {
    matches!(letter,
        // Han
        '\u{2E80}'..='\u{2FDF}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3038}'..='\u{303B}'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}'
        // Hiragana and Katakana
        | '\u{3041}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{1AFF0}'..='\u{1B16F}'
        // Thai and Lao
        | '\u{E00}'..='\u{EFF}'
        // Khmer
        | '\u{1780}'..='\u{17FF}' | '\u{19E0}'..='\u{19FF}'
        // Myanmar
        | '\u{1000}'..='\u{109F}' | '\u{A9E0}'..='\u{A9FF}' | '\u{AA60}'..='\u{AA7F}'
    )
}
