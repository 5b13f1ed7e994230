//! What errors look like, in documents and on pages.

use document::{Location, ViolationCode};

use super::{ApiError, Detail, ErrorCode};

impl ErrorCode {
    /// Whether a request under `/v1` can fail with it; the others belong to what v1 does not have: cursors, conditional
    /// and repeated requests, a list of sessions, the choice of a version.
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
                | Self::IncidentSealed
                | Self::IncidentTruncated
                | Self::UnsupportedVersion
                | Self::IdempotencyKeyInFlight
                | Self::PreconditionFailed
                | Self::IdempotencyKeyReused
                | Self::PreconditionRequired
        )
    }
}

impl ApiError {
    /// An error of this code with everything that usually comes with it.
    #[must_use]
    pub fn example(code: ErrorCode) -> Self {
        let retry_after = match code {
            ErrorCode::IdempotencyKeyInFlight | ErrorCode::ExportNotReady => Some(1),
            _ => matches!(code.status(), 429 | 503).then_some(30),
        };
        Self { retry_after, details: example_details(code), ..Self::new(code) }
    }
}

/// Where that is which is always at the same place.
pub(super) fn place(code: ErrorCode) -> Vec<Detail> {
    let (location, code, message) = match code {
        ErrorCode::InvalidCursor => {
            (Location::Query("cursor".into()), ViolationCode::InvalidFormat, "is not a cursor of this list")
        }
        ErrorCode::PreconditionRequired => {
            (Location::Header("If-Match".into()), ViolationCode::Required, "must be sent")
        }
        _ => return Vec::new(),
    };
    vec![Detail { location, code: code.as_str(), message: message.into() }]
}

fn example_details(code: ErrorCode) -> Vec<Detail> {
    let (location, code, message) = match code {
        ErrorCode::InvalidHeader => {
            (Location::Header("If-Match".into()), ViolationCode::InvalidFormat, "must be `*` or quoted entity tags")
        }
        ErrorCode::ValidationFailed => {
            (Location::Body("/name".into()), ViolationCode::TooLong, "must have at most 100 characters")
        }
        ErrorCode::UnknownField => {
            (Location::Body("/colour".into()), ViolationCode::UnknownField, "is not a known field")
        }
        ErrorCode::UnknownParameter => {
            (Location::Query("colour".into()), ViolationCode::UnknownParameter, "is not a known parameter")
        }
        _ => return place(code),
    };
    vec![Detail { location, code: code.as_str(), message: message.into() }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    #[test]
    fn what_v1_documents_is_in_v1() {
        let declared: Vec<_> = v1::document::operations().flat_map(|operation| operation.errors).collect();
        assert!(declared.len() > 10);
        for code in declared {
            assert!(code.is_in_v1(), "{}", code.as_str());
        }
    }

    #[test]
    fn examples_say_what_clients_act_on() {
        for code in ErrorCode::ALL {
            let example = ApiError::example(*code);
            assert_eq!(example.code, *code);
            let is_temporary = matches!(code, ErrorCode::IdempotencyKeyInFlight | ErrorCode::ExportNotReady)
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
