//! All error codes, ordered by status.
//!
//! An entry has the meaning of the code, its message, its causes and the remedy. The page at the `type` of a problem shows
//! all of them, so they address the developers of clients.

use poem_openapi::Enum;
use serde::Serialize;

macro_rules! error_codes {
    ($(
        $(#[doc = $doc:literal])+
        $status:literal $name:ident $code:literal $message:literal
            causes[$($cause:literal),+ $(,)?]
            remedy[$remedy:literal]
    )+) => {
        /// Machine-readable reason for an error. Codes are the same in all versions; new codes can be added.
        #[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash, Serialize)]
        #[oai(rename_all = "SCREAMING_SNAKE_CASE")]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum ErrorCode { $($(#[doc = $doc])+ $name),+ }

        impl ErrorCode {
            /// All codes, ordered by status.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Returns the value of `code` in error responses.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// Returns the HTTP status of responses with this code.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// Returns the message for users and developers. Programs use the code.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message),+ }
            }

            /// Returns the meaning of the code.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii()),+ }
            }

            /// Returns possible causes, each a sentence; at least one.
            #[must_use]
            pub const fn causes(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($cause),+]),+ }
            }

            /// Returns what the developer of a client can do.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),+ }
            }
        }
    };
}

error_codes! {
    /// The request body is not valid JSON.
    400 MalformedJson "MALFORMED_JSON" "The request body is not valid JSON."
        causes[
            "The body is empty or incomplete.",
            "It contains a trailing comma, a comment, single quotes or NaN, which JSON does not allow.",
        ]
        remedy["Check the line and column in the message. Create request bodies with a JSON library."]
    /// The request body is not UTF-8, the encoding that JSON requires (RFC 8259, section 8.1).
    400 InvalidUtf8 "INVALID_UTF8" "The request body is not valid UTF-8."
        causes["The text has another encoding, such as Latin-1 or UTF-16.", "The body was truncated within a character."]
        remedy["Encode the body as UTF-8."]
    /// An object in the request body contains the same key more than once, so that its value is ambiguous.
    400 DuplicateKey "DUPLICATE_KEY" "An object in the request body contains a duplicate key."
        causes["The body was assembled from strings, and two of them set the same field."]
        remedy["Send each key once. The message contains the key."]
    /// The request body is nested more than 32 levels deep.
    400 JsonTooDeep "JSON_TOO_DEEP" "The request body is nested too deeply."
        causes["Arrays or objects are nested more than 32 levels deep."]
        remedy["Send a body that matches the schema of the operation. No schema comes close to the limit."]
    /// The request line, a header or a chunk of the body is malformed, or the body is incomplete.
    400 MalformedRequest "MALFORMED_REQUEST" "The request is malformed."
        causes[
            "There is more than one `Content-Length`, or both `Content-Length` and `Transfer-Encoding`.",
            "A chunk of the body is malformed.",
            "The connection was closed before the body was complete.",
        ]
        remedy["Use a standard HTTP client. If a proxy forwards the request, check what it sends."]
    /// The cursor is not valid for this list with these parameters.
    400 InvalidCursor "INVALID_CURSOR" "The cursor is not valid for this list."
        causes[
            "The cursor was changed, truncated or created by the client.",
            "It belongs to another list, sort order or filter.",
            "It was created by an old version of the server.",
        ]
        remedy["Use `links.next` unchanged, or omit the cursor to start with the first page."]
    /// A request header has an invalid value.
    400 InvalidHeader "INVALID_HEADER" "A request header has an invalid value."
        causes[
            "`If-Match` or `If-None-Match` is neither `*` nor a list of quoted entity tags.",
            "`Idempotency-Key` is empty, too long, or contains invalid characters.",
        ]
        remedy["Check the name of the header in `errors`. Send an `ETag` exactly as you received it, including the quotes."]
    /// The request has no credentials, but the operation requires them.
    401 AuthenticationRequired "AUTHENTICATION_REQUIRED" "This operation requires authentication."
        causes["The `Authorization` header or, for an API client, the `X-API-Key` header is missing."]
        remedy["Log in or create an account, and send `Authorization: Bearer <access_token>`, or send the key of an API client."]
    /// The access token or the API key is malformed, forged, expired or revoked. The response does not reveal which.
    401 InvalidToken "INVALID_TOKEN" "The access token or API key is not valid."
        causes[
            "The API key was replaced or deleted, its API client has expired, or the account of the API client is disabled.",
            "`Authorization` and `X-API-Key` contain different credentials.",
            "The token has expired. It is valid for `expires_in` seconds.",
            "The session was ended by a logout or a password change, or the account was deleted.",
            "The token was truncated or changed, or it was issued by another server.",
            "The scheme of the `Authorization` header is not `Bearer`.",
        ]
        remedy[
            "If you use an access token, refresh the session or log in again. If you use an API key, ask an administrator \
             for a valid key."
        ]
    /// The email address or the password is wrong. The response does not reveal which.
    401 InvalidCredentials "INVALID_CREDENTIALS" "The email address or the password is wrong."
        causes["The email address or the password is misspelled.", "No account has this email address."]
        remedy["Check both values, request a password reset, or create an account."]
    /// The refresh token is unknown, expired, already used or revoked.
    401 InvalidRefreshToken "INVALID_REFRESH_TOKEN" "The refresh token is not valid."
        causes[
            "The token was already used. It is valid for one use; the response contains the next one.",
            "The session was ended by a logout or a password change, or it has expired.",
        ]
        remedy["Log in again. Always use the refresh token of the latest response."]
    /// The operation requires an administrator.
    403 Forbidden "FORBIDDEN" "This operation requires an administrator."
        causes["The access token belongs to an account with the role `user`."]
        remedy["Use the account of an administrator, or ask an administrator."]
    /// The API client does not have the scope that the operation requires.
    403 InsufficientScope "INSUFFICIENT_SCOPE" "The API client does not have the required scope."
        causes["The API key lacks the scope of the operation: `read` for GET, `write` for other methods, `admin` for admin operations."]
        remedy["Use an API client with the scope in the message, or ask an administrator to add it."]
    /// The operation requires an access token. API clients cannot call it.
    403 SessionRequired "SESSION_REQUIRED" "API clients cannot call this operation."
        causes["The operation changes credentials: passwords, sessions, the account itself or API clients."]
        remedy["Log in, and send the access token of the session."]
    /// The account is disabled.
    403 AccountDisabled "ACCOUNT_DISABLED" "This account is disabled."
        causes["An administrator has disabled the account."]
        remedy["Ask an administrator to enable the account. Its data is retained."]
    /// The path does not exist.
    404 RouteNotFound "ROUTE_NOT_FOUND" "This path does not exist."
        causes[
            "The path is misspelled or contains an extra slash.",
            "The base URL belongs to another server.",
        ]
        remedy["Compare the path with the API reference."]
    /// The bucketlist does not exist, or it belongs to another user.
    404 BucketlistNotFound "BUCKETLIST_NOT_FOUND" "The bucketlist does not exist."
        causes["The bucketlist was deleted, or its ID is wrong.", "It belongs to another user."]
        remedy["List your bucketlists to get their IDs."]
    /// The item does not exist in this bucketlist.
    404 ItemNotFound "ITEM_NOT_FOUND" "The item does not exist in this bucketlist."
        causes["The item was deleted, or its ID is wrong.", "It belongs to another bucketlist."]
        remedy["List the items of the bucketlist to get their IDs."]
    /// The user does not exist.
    404 UserNotFound "USER_NOT_FOUND" "The user does not exist."
        causes["The account was deleted, or the ID is wrong."]
        remedy["List the users to get their IDs."]
    /// The session does not exist, or it belongs to another user.
    404 SessionNotFound "SESSION_NOT_FOUND" "The session does not exist."
        causes["The session has already ended.", "It belongs to another user."]
        remedy["List your sessions to get their IDs. If the session has already ended, no further request is necessary."]
    /// The export does not exist, or it belongs to another user.
    404 ExportNotFound "EXPORT_NOT_FOUND" "The export does not exist."
        causes[
            "The export has expired; see its `expires_at`.",
            "Only your ten newest exports are retained.",
            "It belongs to another user.",
        ]
        remedy["Create a new export."]
    /// The incident does not exist, or it was deleted after its retention period.
    404 IncidentNotFound "INCIDENT_NOT_FOUND" "The incident does not exist."
        causes["The retention period of the incident has ended.", "It was deleted, or its ID is wrong."]
        remedy["List the incidents to get their IDs. If the incident was deleted, search the server log for its request ID."]
    /// The API client does not exist.
    404 ApiClientNotFound "API_CLIENT_NOT_FOUND" "The API client does not exist."
        causes["The API client or its account was deleted.", "The ID of the API client is wrong."]
        remedy["List the API clients to get their IDs."]
    /// The job does not exist, or it was deleted after its retention period.
    404 JobNotFound "JOB_NOT_FOUND" "The job does not exist."
        causes["The retention period of the job has ended.", "It was deleted, or its ID is wrong."]
        remedy["List the jobs to get their IDs."]
    /// The recurring task does not exist, or the server has not enabled it.
    404 JobScheduleNotFound "JOB_SCHEDULE_NOT_FOUND" "The recurring task does not exist."
        causes["The name is wrong.", "The configuration of the server does not enable the task, such as `backup`."]
        remedy["List the recurring tasks to get their names."]
    /// The server does not record profiles, because the operator has not enabled them.
    404 ProfilingDisabled "PROFILING_DISABLED" "Profiling is disabled on this server."
        causes[
            "`PROFILING` is not set to `true`.",
            "A heap profile is requested, and the server was built without the Cargo feature `heap-profile`, or started without `_RJEM_MALLOC_CONF=prof:true`.",
        ]
        remedy["Ask the operator of the server to enable profiles, and to restart it."]
    /// The path exists, but it does not support the method.
    405 MethodNotAllowed "METHOD_NOT_ALLOWED" "This path does not support the method."
        causes["The client uses the wrong method.", "A redirect or a proxy has changed the method."]
        remedy["Use one of the methods in the `Allow` header."]
    /// The operation cannot return a representation that matches the `Accept` header.
    406 NotAcceptable "NOT_ACCEPTABLE" "No representation matches the Accept header."
        causes[
            "`Accept` contains only media types that the operation does not return.",
            "It excludes the supported media types with `q=0`.",
        ]
        remedy["Accept a media type from the message, or omit the header."]
    /// `Accept-Version` selects a version that this server does not support.
    406 UnsupportedVersion "UNSUPPORTED_VERSION" "This server does not support the requested API version."
        causes[
            "`Accept-Version` is not the number of a supported version.",
            "The client requires a newer server, or the version was removed.",
        ]
        remedy["Request a version from the message, or use a path that starts with a version, such as `/v1`."]
    /// The request body did not arrive in time.
    408 RequestTimeout "REQUEST_TIMEOUT" "The request body did not arrive in time."
        causes["The connection is slow or interrupted.", "`Content-Length` is larger than the body."]
        remedy["Send the request again. Split large requests."]
    /// Another account has this email address. The comparison is case-insensitive.
    409 EmailTaken "EMAIL_TAKEN" "Another account uses this email address."
        causes["The email address is already registered, possibly by you."]
        remedy["Log in, request a password reset, or use another email address."]
    /// One of your bucketlists already has this name.
    409 BucketlistNameTaken "BUCKETLIST_NAME_TAKEN" "You already have a bucketlist with this name."
        causes["You already have a bucketlist with this name, possibly from an earlier attempt."]
        remedy["Choose another name, or use the existing bucketlist."]
    /// The last active administrator cannot be demoted, disabled or deleted.
    409 LastAdmin "LAST_ADMIN" "The last active administrator cannot be demoted, disabled or deleted."
        causes["Without this account, the server would have no administrator."]
        remedy["Give another account the role `admin` first."]
    /// The incident is encrypted with a key that the server does not have.
    409 IncidentKeyMissing "INCIDENT_KEY_MISSING" "The incident is encrypted with a key that this server does not have."
        causes["`INCIDENTS_KEY` was changed, and the previous key is missing in `INCIDENTS_PREVIOUS_KEYS`."]
        remedy["Add the previous key to `INCIDENTS_PREVIOUS_KEYS`."]
    /// The captured request body is incomplete, so that the request cannot be replayed.
    409 IncidentTruncated "INCIDENT_TRUNCATED" "The captured request body is incomplete."
        causes["The request body was larger than `INCIDENTS_BODY_LIMIT`."]
        remedy["Export the incident as a HAR file, which contains the captured part. Increase the limit for future incidents."]
    /// The export has no file: it is queued or running, or it has failed.
    409 ExportNotReady "EXPORT_NOT_READY" "The export has no file: it is still running or has failed."
        causes["The export is not finished yet.", "The export has failed: its `state` is `failed`."]
        remedy[
            "Poll the export until its `state` is `finished`, and wait for `Retry-After` seconds between requests. If it \
             has failed, create a new export."
        ]
    /// The state of the job does not allow the operation.
    409 JobStateConflict "JOB_STATE_CONFLICT" "The state of the job does not allow this operation."
        causes[
            "The job is running or done, and cannot be retried.",
            "The job is done, dead or already cancelled, and cannot be cancelled.",
            "The job is running, and cannot be deleted.",
        ]
        remedy["Retrieve the job to get its `state`. Cancel a running job before you delete or retry it."]
    /// The recurring task is already running.
    409 JobScheduleRunning "JOB_SCHEDULE_RUNNING" "The recurring task is already running."
        causes["The task was due, or another administrator has run it."]
        remedy["Wait until `last_finished_at` of the recurring task is not null, and send the request again."]
    /// A request with the same `Idempotency-Key` is still being processed.
    409 IdempotencyKeyInFlight "IDEMPOTENCY_KEY_IN_FLIGHT" "A request with this Idempotency-Key is being processed."
        causes["The request was retried before the first attempt was complete, or it was sent twice at the same time."]
        remedy["Wait for `Retry-After` seconds, then retry the request with the same key to receive the original response."]
    /// The server is already recording a profile. It records one at a time.
    409 ProfileInProgress "PROFILE_IN_PROGRESS" "Another profile is being recorded."
        causes["Another administrator records a profile.", "The server was started with `--profile`."]
        remedy[
            "Wait until the other profile is complete, at most 30 seconds, and send the request again. A server that was \
             started with `--profile` records until it stops."
        ]
    /// The operation was removed at its sunset date. It has a successor.
    410 Gone "GONE" "This operation was removed."
        causes["The date in the `Sunset` header has passed."]
        remedy["Use the successor in the `Link` header (`rel=\"successor-version\"`)."]
    /// The operation is deprecated and unavailable in a scheduled brownout. It is available again after the brownout, until its
    /// sunset date.
    410 Brownout "BROWNOUT" "This deprecated operation is unavailable in a scheduled brownout."
        causes[
            "The operator has scheduled a brownout, to make developers aware of the removal before the sunset date.",
        ]
        remedy[
            "Use the successor in the `Link` header (`rel=\"successor-version\"`). Until then, retry the request after \
             `Retry-After` seconds."
        ]
    /// The resource is not in the state that `If-Match` or `If-None-Match` requires. Nothing was changed.
    412 PreconditionFailed "PRECONDITION_FAILED" "The resource has changed since you retrieved it."
        causes[
            "Another client has changed the resource.",
            "The ETag belongs to another resource.",
            "`If-None-Match` is `*`, or contains the current ETag.",
        ]
        remedy["Retrieve the resource again, apply your changes, and send them with the new ETag in `If-Match`."]
    /// The request body is larger than the limit of the server (by default, 1 MiB).
    413 PayloadTooLarge "PAYLOAD_TOO_LARGE" "The request body is too large."
        causes["The body or the value of `Content-Length` exceeds the limit, including for an operation that ignores the body."]
        remedy["Split the data into several requests."]
    /// The URL is longer than 8 KiB.
    414 UriTooLong "URI_TOO_LONG" "The URL is too long."
        causes["A query parameter is very long or is repeated many times."]
        remedy["Shorten the query string."]
    /// The operation does not support the media type or the encoding of the request body.
    415 UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" "The Content-Type of the request body is not supported."
        causes[
            "`Content-Type` is missing, or it is the media type of a form or of plain text.",
            "The body is compressed (`Content-Encoding`).",
        ]
        remedy["Send the media type from the message, uncompressed."]
    /// The request violates one or more rules. The response lists all violations.
    422 ValidationFailed "VALIDATION_FAILED" "The request is invalid."
        causes["A field or a parameter is missing, has the wrong type, is too long, or has a value that is not allowed."]
        remedy["Correct all listed violations and send the request again."]
    /// The request body contains an unknown field. Unknown fields are rejected, so that misspelled names do not go unnoticed.
    422 UnknownField "UNKNOWN_FIELD" "The request body contains an unknown field."
        causes[
            "The name of a field is misspelled.",
            "The body is a complete response that contains read-only fields such as `id`.",
        ]
        remedy["Send only the fields of the request schema."]
    /// The query string contains an unknown parameter.
    422 UnknownParameter "UNKNOWN_PARAMETER" "The query string contains an unknown parameter."
        causes[
            "The name of a parameter is misspelled.",
            "The parameter belongs to another operation or to another version of the API.",
        ]
        remedy["Send only parameters that the API reference lists for the operation."]
    /// The current password is wrong.
    422 WrongPassword "WRONG_PASSWORD" "The current password is wrong."
        causes["The operation requires the current password, and the value does not match."]
        remedy["Ask the user to enter the current password again, or request a password reset."]
    /// The password reset token is unknown, expired or already used.
    422 InvalidResetToken "INVALID_RESET_TOKEN" "The password reset token is not valid."
        causes["The token has expired or was already used.", "The token was not copied completely."]
        remedy["Request another password reset, and use the token from the latest email."]
    /// The `Idempotency-Key` was used for a different request.
    422 IdempotencyKeyReused "IDEMPOTENCY_KEY_REUSED" "This Idempotency-Key was used for a different request."
        causes["In the last 24 hours, the key was used with a different body or for a different operation."]
        remedy["Generate a new key, such as a random UUID, for each request. Reuse a key only to retry the same request."]
    /// The server requires `If-Match` for updates and deletions (`REQUIRE_IF_MATCH`).
    428 PreconditionRequired "PRECONDITION_REQUIRED" "This change requires an If-Match header."
        causes["The server is configured to reject changes without `If-Match`, so that clients do not overwrite each other."]
        remedy["Retrieve the resource, and send its ETag in `If-Match` with the change."]
    /// The client has sent too many requests.
    429 RateLimitExceeded "RATE_LIMIT_EXCEEDED" "Too many requests."
        causes[
            "The client, or all clients of its network, have sent more requests than `RateLimit-Policy` allows.",
            "There were too many failed logins or password resets for the account (`login-account`, \
             `password-reset-account`), and you have never logged in from this address.",
        ]
        remedy["Wait for `Retry-After` seconds. The `RateLimit` header contains the number of remaining requests."]
    /// The request headers are larger than 16 KiB.
    431 HeadersTooLarge "HEADERS_TOO_LARGE" "The request headers are too large."
        causes["The request contains large cookies, or a proxy has added many headers."]
        remedy["Send fewer and smaller headers. The API does not use cookies."]
    /// An unexpected error occurred on the server.
    500 InternalError "INTERNAL_ERROR" "An internal error occurred."
        causes["The server has a defect. Its log contains the details under the request ID."]
        remedy[
            "Report the request ID. An administrator can inspect and replay the captured request in the console. A retry is \
             unlikely to succeed."
        ]
    /// The server is temporarily unable to process the request.
    503 ServiceUnavailable "SERVICE_UNAVAILABLE" "The service is temporarily unavailable."
        causes[
            "The server is overloaded: no database connection was available in time, or the request took too long.",
            "The server is shutting down.",
            "The database is not reachable.",
        ]
        remedy["Send the request again after `Retry-After` seconds."]
    /// The server has no space left to store the data.
    507 InsufficientStorage "INSUFFICIENT_STORAGE" "The server has no space left to store the data."
        causes["The disk of the database is full, or the database has reached its maximum size."]
        remedy["Report the request ID. Send the request again when the operator of the server has freed space."]
}
