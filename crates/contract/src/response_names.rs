//! Names of error responses in the documents, by their error codes.
//!
//! A response with one code has the name of the code. Other names are listed here, so that they do not depend on the rest of
//! the document: generated code has types with these names. `deprecated` contains those of deprecated operations, which have
//! more headers.

use openapi_repair::ResponseName;

use crate::ErrorCode;

macro_rules! response_names {
    ($(#[doc = $doc:literal])+ $version:ident:
        current { $($name:ident: $($code:ident)+;)* }
        deprecated { $($old_name:ident: $($old_code:ident)+;)* }
    ) => {
        $(#[doc = $doc])+
        pub(crate) const $version: &[ResponseName] = &[
            $(ResponseName { name: stringify!($name), codes: &[$(ErrorCode::$code.as_str()),+], is_deprecated: false },)*
            $(ResponseName {
                name: stringify!($old_name),
                codes: &[$(ErrorCode::$old_code.as_str()),+],
                is_deprecated: true,
            },)*
        ];
    };
}

response_names! {
    /// The names that the first release of v1 published. It numbered responses of deprecated operations.
    V1:
    current {
        BadRequest: MalformedJson InvalidUtf8 DuplicateKey JsonTooDeep MalformedRequest;
        Unauthorized: AuthenticationRequired InvalidToken;
        Forbidden: AccountDisabled Forbidden InsufficientScope;
        AccountDisabledOrInsufficientScope: AccountDisabled InsufficientScope;
        AccountDisabledOrSessionRequired: AccountDisabled SessionRequired;
        NotFound: BucketlistNotFound ItemNotFound;
        UnprocessableContent: UnknownField ValidationFailed UnknownParameter;
        UnprocessableContent2: ValidationFailed UnknownParameter;
        UnprocessableContent3: UnknownField ValidationFailed UnknownParameter WrongPassword;
    }
    deprecated {
        Unauthorized2: AuthenticationRequired InvalidToken;
        UnprocessableContent4: ValidationFailed UnknownParameter;
        AccountDisabled2: AccountDisabled InsufficientScope;
        Gone: Gone Brownout;
        HeadersTooLarge2: HeadersTooLarge;
        InternalError2: InternalError;
        MalformedRequest2: MalformedRequest;
        NotAcceptable2: NotAcceptable;
        PayloadTooLarge2: PayloadTooLarge;
        RateLimitExceeded2: RateLimitExceeded;
        RequestTimeout2: RequestTimeout;
        ServiceUnavailable2: ServiceUnavailable;
        UriTooLong2: UriTooLong;
    }
}

response_names! {
    /// The names in v2.
    V2:
    current {
        BadRequest: MalformedJson InvalidUtf8 DuplicateKey JsonTooDeep MalformedRequest;
        BadRequestOrInvalidHeader: MalformedJson InvalidUtf8 DuplicateKey JsonTooDeep MalformedRequest InvalidHeader;
        InvalidHeader: MalformedRequest InvalidHeader;
        InvalidCursorOrHeader: MalformedRequest InvalidCursor InvalidHeader;
        Unauthorized: AuthenticationRequired InvalidToken;
        Forbidden: AccountDisabled Forbidden InsufficientScope;
        AccountDisabledOrInsufficientScope: AccountDisabled InsufficientScope;
        AccountDisabledOrSessionRequired: AccountDisabled SessionRequired;
        ForbiddenOrSessionRequired: AccountDisabled Forbidden SessionRequired;
        NotFound: BucketlistNotFound ItemNotFound;
        BucketlistNameTakenOrKeyInFlight: BucketlistNameTaken IdempotencyKeyInFlight;
        IncidentNotExportable: IncidentKeyMissing IncidentTruncated;
        InvalidParameters: ValidationFailed UnknownParameter;
        UnprocessableContent: UnknownField ValidationFailed UnknownParameter;
        UnprocessableContentOrKeyReused: UnknownField ValidationFailed UnknownParameter IdempotencyKeyReused;
        UnprocessableContentOrWrongPassword: UnknownField ValidationFailed UnknownParameter WrongPassword;
    }
    deprecated {}
}
