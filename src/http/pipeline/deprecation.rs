//! Deprecated operations: the headers `Deprecation`, `Sunset` and `Link`, and 410 after the sunset date.

use contract::{ApiError, ErrorCode, operation::Deprecation};
use poem::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{InvalidHeaderValue, LINK},
};

/// The deprecation of an operation, with the URL of the successor for the request.
pub(super) struct DeprecationHeaders {
    deprecation: &'static Deprecation,
    successor: String,
}

impl DeprecationHeaders {
    /// `path_params` are the names and values of the path parameters, which are inserted into the path of the successor.
    pub(super) fn new(deprecation: &'static Deprecation, path_params: &[(&str, &str)]) -> Self {
        let successor = path_params
            .iter()
            .fold(deprecation.successor.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        Self { deprecation, successor }
    }

    /// Rejects the request if the sunset date has passed.
    pub(super) fn check_sunset(&self, now: i64) -> Result<(), ApiError> {
        if self.deprecation.is_past_sunset(now) {
            return Err(ApiError::new(ErrorCode::Gone).with_message(format!("Use {} instead.", self.successor)));
        }
        Ok(())
    }

    /// Adds the headers of RFC 9745, RFC 8594 and RFC 5829.
    ///
    /// # Errors
    /// Fails if a path parameter contains bytes that a header cannot.
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

#[cfg(test)]
mod tests {
    use contract::Operation;

    use super::*;

    static OPERATION: Operation = Operation::new("getItem", "GET", "/x").deprecated(
        (2026, 11, 20),
        (2027, 11, 20),
        "/v2/bucketlists/{bucketlist_id}",
    );

    #[test]
    fn headers_link_to_the_successor_of_the_request() {
        let deprecation = DeprecationHeaders::new(OPERATION.deprecation.as_ref().unwrap(), &[("bucketlist_id", "7")]);
        let mut headers = HeaderMap::new();
        deprecation.write(&mut headers).unwrap();
        assert_eq!(headers["deprecation"], "@1795132800");
        assert_eq!(headers["sunset"], "Sat, 20 Nov 2027 00:00:00 GMT");
        assert_eq!(headers["link"], "</v2/bucketlists/7>; rel=\"successor-version\"");
        assert!(deprecation.check_sunset(1_826_668_799).is_ok());
        let gone = deprecation.check_sunset(1_826_668_800).unwrap_err();
        assert_eq!((gone.code, gone.message()), (ErrorCode::Gone, "Use /v2/bucketlists/7 instead."));
    }
}
