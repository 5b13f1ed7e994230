//! Parses the settings of mail.

use secrecy::SecretString;

use super::parse::VariableParser;
use crate::mail::settings::{check_smtp_url, parse_sender};

impl VariableParser<'_> {
    pub(super) fn parse_smtp_url(&mut self, name: &'static str) -> Option<SecretString> {
        let text = self.non_empty(name)?;
        if let Err(problem) = check_smtp_url(text) {
            self.add_error(name, problem);
            return None;
        }
        Some(text.to_owned().into())
    }

    pub(super) fn parse_sender(&mut self, name: &'static str) -> String {
        let text = self.read_text(name);
        if let Err(problem) = parse_sender(&text) {
            self.add_error(name, problem);
        }
        text
    }
}
