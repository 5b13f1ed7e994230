//! Characters that are not displayed.

/// Returns whether a character is invisible although it is not whitespace: the property `Default_Ignorable_Code_Point` of
/// Unicode, invisible format characters, and letters and symbols without ink. The contract has the same list (a test compares
/// them).
pub(super) fn is_invisible(character: char) -> bool {
    matches!(character, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}')
        || matches!(character, '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}')
        || matches!(character, '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
        || matches!(character, '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{13430}'..='\u{13442}')
        || matches!(character, '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}')
        || matches!(character, '\u{E0000}'..='\u{E007F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Returns whether a text has no visible character.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|character| character.is_whitespace() || is_invisible(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_agrees_with_the_contract() {
        for character in '\0'..=char::MAX {
            let is_invisible_in_contract = openapi_model::text::is_invisible(character);
            assert_eq!(is_invisible(character), is_invisible_in_contract, "{:x}", u32::from(character));
        }
    }
}
