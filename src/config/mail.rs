//! Parses the settings of mail.

use secrecy::SecretString;

use super::parse::Reader;
use crate::mail::settings::{check_smtp_url, parse_sender};

impl Reader<'_> {
    pub(super) fn smtp_url(&mut self, name: &'static str) -> Option<SecretString> {
        let text = self.non_empty(name)?;
        if let Err(problem) = check_smtp_url(text) {
            self.invalid(name, problem);
            return None;
        }
        Some(text.to_owned().into())
    }

    pub(super) fn sender(&mut self, name: &'static str) -> String {
        let text = self.text(name);
        if let Err(problem) = parse_sender(&text) {
            self.invalid(name, problem);
        }
        text
    }
}
