//! The parameter `q` of lists: text that the name or description contains.

use unicode_normalization::UnicodeNormalization;

/// Text to find in names and descriptions. Never blank; normalized to NFC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFilter(String);

impl TextFilter {
    /// Trims and normalizes `text`; `None` if it is blank.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text: String = text.trim().nfc().collect();
        (!text.is_empty()).then_some(Self(text))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
