//! Output for a terminal.

use std::io::{self, Write};

/// Escapes characters of stored text that could change the state of a terminal or the order of its text: control characters except
/// tabs and line ends, and bidirectional formatting. An escape has the form `\\u202e`, so that JSON remains the same.
pub(super) struct Printable<'a>(pub(super) &'a mut dyn Write);

impl Write for Printable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Formatting writes whole pieces of text, so that no character is divided.
        self.0.write_all(escape(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn is_unsafe(character: char) -> bool {
    let is_bidirectional = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    is_bidirectional || character.is_control() && !matches!(character, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidirectional_characters_are_escaped() {
        let mut out = Vec::new();
        writeln!(Printable(&mut out), "a\t\u{1b}[31m\u{9b}31m\u{202e}x\u{2066}é\r").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "a\t\\u001b[31m\\u009b31m\\u202ex\\u2066é\\u000d\n");
    }

    #[test]
    fn json_has_the_same_value() {
        let value = serde_json::json!({"name": "a\u{9b}\u{202e}\u{7f}\n"});
        let mut out = Vec::new();
        write!(Printable(&mut out), "{value}").unwrap();
        assert!(out.is_ascii());
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).unwrap(), value);
    }
}
