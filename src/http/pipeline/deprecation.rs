//! Deprecated operations: the headers `Deprecation`, `Sunset` and `Link`, and 410 in a brownout and after the sunset date.

use contract::{ApiError, ErrorCode, base_path::PublicPath, operation::Deprecation};
use poem::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{InvalidHeaderValue, LINK},
};

use crate::domain::{Brownout, Timestamp};

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
            let (sunset, successor) = (self.deprecation.sunset, PublicPath(&self.successor));
            let message = format!("This operation was removed on {sunset}. Use {successor} instead.");
            return Err(ApiError::new(ErrorCode::Gone).with_message(message));
        }
        Ok(())
    }

    /// Rejects the request if the operation is in a brownout.
    pub(super) fn check_brownout(
        &self,
        operation: &str,
        brownouts: &[Brownout],
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let is_active = |brownout: &&Brownout| brownout.operation == operation && brownout.is_active(now);
        let Some(end) = brownouts.iter().filter(is_active).map(Brownout::ends_at).max() else { return Ok(()) };
        let microseconds = end.micros().saturating_sub(now.micros());
        let message = format!(
            "This operation is deprecated and will be removed on {}. It is unavailable in a scheduled brownout until {}. Use {} \
             instead.",
            self.deprecation.sunset,
            contract::values::Timestamp::from_micros(end.micros()),
            PublicPath(&self.successor)
        );
        Err(ApiError {
            retry_after: u32::try_from(microseconds.unsigned_abs().div_ceil(1_000_000)).ok(),
            ..ApiError::new(ErrorCode::Brownout).with_message(message)
        })
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
    use std::time::Duration;

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
        assert_eq!(
            (gone.code, gone.message()),
            (ErrorCode::Gone, "This operation was removed on 2027-11-20. Use /v2/bucketlists/7 instead.")
        );
    }

    #[test]
    fn brownout_ends_when_its_last_window_ends() {
        let deprecation = DeprecationHeaders::new(OPERATION.deprecation.as_ref().unwrap(), &[("bucketlist_id", "7")]);
        let window = |operation: &str, start, minutes: u64| Brownout {
            operation: operation.to_owned(),
            starts_at: Timestamp::from_seconds(start),
            duration: Duration::from_secs(60 * minutes),
        };
        let start = 1_800_000_000;
        let windows =
            [window("getItem", start, 1), window("getItem", start + 30, 2), window("listItems", start - 100, 60)];
        let check = |now| deprecation.check_brownout("getItem", &windows, now);
        assert!(check(Timestamp::from_micros(start * 1_000_000 - 1)).is_ok());
        let error = check(Timestamp::from_micros(start * 1_000_000 + 1)).unwrap_err();
        assert_eq!((error.code, error.retry_after), (ErrorCode::Brownout, Some(60)));
        assert_eq!(
            error.message(),
            "This operation is deprecated and will be removed on 2027-11-20. It is unavailable in a scheduled brownout until \
             2027-01-15T08:01:00.000000Z. Use /v2/bucketlists/7 instead."
        );
        let overlapping = check(Timestamp::from_seconds(start + 59)).unwrap_err();
        assert_eq!(overlapping.retry_after, Some(91));
        assert!(check(Timestamp::from_seconds(start + 150)).is_ok());
    }
}
