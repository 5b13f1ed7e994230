//! Examples of errors, for the documents and the pages that explain error codes.

use openapi_model::{Location, ViolationCode};

use super::{ApiError, Detail, ErrorCode};

impl ErrorCode {
    /// Returns whether a request to v1 can fail with this code. The others belong to features of v2.
    #[must_use]
    pub const fn is_in_v1(self) -> bool {
        !matches!(
            self,
            Self::InvalidCursor
                | Self::InvalidHeader
                | Self::SessionNotFound
                | Self::ExportNotFound
                | Self::ExportNotReady
                | Self::IncidentNotFound
                | Self::IncidentKeyMissing
                | Self::IncidentTruncated
                | Self::JobNotFound
                | Self::JobStateConflict
                | Self::JobScheduleNotFound
                | Self::JobScheduleRunning
                | Self::ProfilingDisabled
                | Self::ProfileInProgress
                | Self::UnsupportedVersion
                | Self::IdempotencyKeyInFlight
                | Self::PreconditionFailed
                | Self::IdempotencyKeyReused
                | Self::PreconditionRequired
        )
    }
}

impl ApiError {
    /// Creates an example of an error with this code.
    #[must_use]
    pub fn example(code: ErrorCode) -> Self {
        let retry_after = match code {
            ErrorCode::IdempotencyKeyInFlight | ErrorCode::ExportNotReady => Some(1),
            ErrorCode::Brownout => Some(3_600),
            _ => matches!(code.status(), 429 | 503).then_some(30),
        };
        Self { retry_after, details: example_details(code), ..Self::new(code) }
    }
}

/// Returns the violation of a code that always has the same location.
pub(super) fn fixed_location(code: ErrorCode) -> Vec<Detail> {
    let (location, code, message) = match code {
        ErrorCode::InvalidCursor => {
            (Location::Query("cursor".into()), ViolationCode::InvalidFormat, "is not a valid cursor for this list")
        }
        ErrorCode::PreconditionRequired => {
            (Location::Header("If-Match".into()), ViolationCode::Required, "is required")
        }
        _ => return Vec::new(),
    };
    vec![Detail { location, code: code.as_str(), message: message.into() }]
}

fn example_details(code: ErrorCode) -> Vec<Detail> {
    let (location, code, message) = match code {
        ErrorCode::InvalidHeader => (
            Location::Header("If-Match".into()),
            ViolationCode::InvalidFormat,
            "must be `*` or a list of quoted entity tags",
        ),
        ErrorCode::ValidationFailed => {
            (Location::Body("/name".into()), ViolationCode::TooLong, "must have at most 100 characters")
        }
        ErrorCode::UnknownField => {
            (Location::Body("/color".into()), ViolationCode::UnknownField, "is not a known field")
        }
        ErrorCode::UnknownParameter => {
            (Location::Query("color".into()), ViolationCode::UnknownParameter, "is not a known parameter")
        }
        _ => return fixed_location(code),
    };
    vec![Detail { location, code: code.as_str(), message: message.into() }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    #[test]
    fn errors_of_v1_operations_are_in_v1() {
        let declared: Vec<_> = v1::document::operations().flat_map(|operation| operation.errors).collect();
        assert!(declared.len() > 10);
        for code in declared {
            assert!(code.is_in_v1(), "{}", code.as_str());
        }
    }

    #[test]
    fn examples_have_the_code_and_retry_after() {
        for code in ErrorCode::ALL {
            let example = ApiError::example(*code);
            assert_eq!(example.code, *code);
            let is_temporary =
                matches!(code, ErrorCode::IdempotencyKeyInFlight | ErrorCode::ExportNotReady | ErrorCode::Brownout)
                    || [429, 503].contains(&code.status());
            assert_eq!(example.retry_after.is_some(), is_temporary, "{}", code.as_str());
        }
        for code in [ErrorCode::InvalidCursor, ErrorCode::PreconditionRequired] {
            assert_eq!(ApiError::from(code).details, ApiError::example(code).details);
            assert_eq!(ApiError::from(code).details.len(), 1);
        }
        assert_eq!(
            ApiError::example(ErrorCode::InvalidHeader).details[0].location,
            Location::Header("If-Match".into())
        );
    }
}
