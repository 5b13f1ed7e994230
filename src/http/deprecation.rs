//! What an answer of a deprecated operation says: since when, until when, and what takes its place.

use contract::operation::Deprecation;
use poem::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{InvalidHeaderValue, LINK},
};

/// A deprecation, with the successor of this very request.
pub(super) struct Notice {
    deprecation: &'static Deprecation,
    successor: String,
}

impl Notice {
    /// `params` are the names and values of the request's path parameters, which its successor has, too.
    pub(super) fn new(deprecation: &'static Deprecation, params: &[(&str, &str)]) -> Self {
        let successor = params
            .iter()
            .fold(deprecation.successor.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        Self { deprecation, successor }
    }

    /// Where to go instead.
    pub(super) fn successor(&self) -> &str {
        &self.successor
    }

    /// RFC 9745, RFC 8594, RFC 5829.
    pub(super) fn write(&self, headers: &mut HeaderMap) -> Result<(), InvalidHeaderValue> {
        let link = format!("<{}>; rel=\"successor-version\"", self.successor);
        headers.insert(
            HeaderName::from_static("deprecation"),
            HeaderValue::try_from(self.deprecation.deprecation_header())?,
        );
        headers.insert(HeaderName::from_static("sunset"), HeaderValue::try_from(self.deprecation.sunset_header())?);
        headers.append(LINK, HeaderValue::try_from(link)?);
        Ok(())
    }
}
