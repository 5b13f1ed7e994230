//! The table of error codes: one block for each, in the order of its status.
//!
//! A block says what the code means, with which sentence, why it happens, and what to do. The page that a problem's
//! `type` leads to shows all of it, so the words are for people who call the API.

use poem_openapi::Enum;
use serde::Serialize;

macro_rules! error_codes {
    ($(
        $(#[doc = $doc:literal])+
        $status:literal $name:ident $code:literal $message:literal
            causes[$($cause:literal),+ $(,)?]
            remedy[$remedy:literal]
    )+) => {
        /// Why a request failed, for machines. Codes are stable across versions; new ones may be added.
        #[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash, Serialize)]
        #[oai(rename_all = "SCREAMING_SNAKE_CASE")]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum ErrorCode { $($(#[doc = $doc])+ $name),+ }

        impl ErrorCode {
            /// Every code, in the order of its status.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as it travels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The HTTP status it always comes with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// The sentence a person reads.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message),+ }
            }

            /// What it means.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii()),+ }
            }

            /// What makes it happen; at least one sentence.
            #[must_use]
            pub const fn causes(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($cause),+]),+ }
            }

            /// What to do about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),+ }
            }
        }
    };
}

error_codes! {
    /// The body is not JSON.
    400 MalformedJson "MALFORMED_JSON" "The request body is not valid JSON."
        causes[
            "The body is empty, or cut off.",
            "There is a comma too many, a comment, a single quote, or NaN: JSON has none of them.",
        ]
        remedy["Look at the line and column in the message. Write bodies with a JSON library rather than by hand."]
    /// The body is not UTF-8, the only encoding JSON may travel in (RFC 8259, section 8.1).
    400 InvalidUtf8 "INVALID_UTF8" "The request body is not valid UTF-8."
        causes[
            "The text was written in another encoding, such as Latin-1 or UTF-16.",
            "Bytes were lost or cut in half on the way.",
        ]
        remedy["Encode the body as UTF-8 before you send it."]
    /// An object in the body names the same key twice, so that its meaning would depend on the reader.
    400 DuplicateKey "DUPLICATE_KEY" "An object in the request body has the same key twice."
        causes["The body was put together from pieces of text, and two of them set the same field."]
        remedy["Send each key once. The message names the key."]
    /// The body nests deeper than 32 levels.
    400 JsonTooDeep "JSON_TOO_DEEP" "The request body is nested too deeply."
        causes["Arrays or objects stand inside each other more than 32 times."]
        remedy["Send the shape that the document describes; none comes near the limit."]
    /// The request line or a header is malformed, or the body broke off.
    400 MalformedRequest "MALFORMED_REQUEST" "The request is malformed."
        causes[
            "The framing of the body is wrong, such as a broken chunk.",
            "The connection ended before the whole body was sent.",
        ]
        remedy[
            "Send the request with an ordinary HTTP client. If it passes through a proxy, look at what the proxy sends \
             on."
        ]
    /// The cursor does not belong to this list as it is asked for now.
    400 InvalidCursor "INVALID_CURSOR" "The cursor is not valid for this list."
        causes[
            "The cursor was changed, cut off, or made by hand.",
            "It was made for another list, sort or filter.",
            "It is so old that its format has expired.",
        ]
        remedy["Follow `links.next` as it stands, or start again at the first page by leaving the cursor out."]
    /// A header has a value that cannot be read.
    400 InvalidHeader "INVALID_HEADER" "A request header has a malformed value."
        causes[
            "`If-Match` or `If-None-Match` is neither `*` nor a list of quoted entity tags.",
            "`Idempotency-Key` is empty, too long, or has characters that it may not have.",
        ]
        remedy[
            "Look at `errors`, which names the header. Send an `ETag` back exactly as you received it, quotes included."
        ]
    /// No credentials came with a request that needs them.
    401 AuthenticationRequired "AUTHENTICATION_REQUIRED" "This operation needs an access token."
        causes["There is no `Authorization` header.", "Its scheme is not `Bearer`."]
        remedy["Log in or register, and send `Authorization: Bearer <access_token>`."]
    /// The access token is malformed, forged, expired or revoked; which of them is not said.
    401 InvalidToken "INVALID_TOKEN" "The access token is not valid."
        causes[
            "The token has expired: it is good for `expires_in` seconds.",
            "Its session ended, by logging out or by a new password, or its account was deleted.",
            "It was cut off or changed on the way, or comes from another server.",
        ]
        remedy["Refresh the session with its refresh token, or log in again."]
    /// No account has this email address and password.
    401 InvalidCredentials "INVALID_CREDENTIALS" "The email address or the password is wrong."
        causes["The email address or the password has a typing mistake.", "There is no account of this email address."]
        remedy["Check both, ask for a password reset, or register."]
    /// The refresh token is unknown, expired, already used or revoked.
    401 InvalidRefreshToken "INVALID_REFRESH_TOKEN" "The refresh token is not valid."
        causes[
            "The token was used before: each is good for one refresh, which answers with the next one.",
            "The session ended, by logging out, by a new password, or by not being refreshed for too long.",
        ]
        remedy["Log in again. From then on keep the refresh token of the latest answer only."]
    /// The operation is for administrators.
    403 Forbidden "FORBIDDEN" "Your account may not do this."
        causes["The access token belongs to an account whose role is `user`."]
        remedy["Use an administrator's account, or ask an administrator."]
    /// The account was disabled by an administrator.
    403 AccountDisabled "ACCOUNT_DISABLED" "This account is disabled."
        causes["An administrator has disabled the account that the token or the credentials belong to."]
        remedy["Ask an administrator to enable the account. Its data is kept until then."]
    /// No route of this server has this path.
    404 RouteNotFound "ROUTE_NOT_FOUND" "There is nothing at this path."
        causes[
            "The path has a typing mistake, a slash too many, or no version in front (`/v1`).",
            "The base URL is another server's.",
        ]
        remedy["Compare the path with the documentation, which lists all there are."]
    /// There is no bucketlist with this id, or it belongs to somebody else.
    404 BucketlistNotFound "BUCKETLIST_NOT_FOUND" "There is no such bucketlist."
        causes["The bucketlist was deleted, or never was.", "It belongs to another account than the token."]
        remedy["List your bucketlists to see their ids."]
    /// There is no item with this id in this bucketlist.
    404 ItemNotFound "ITEM_NOT_FOUND" "There is no such item in this bucketlist."
        causes["The item was deleted, or never was.", "It is in another bucketlist than the one in the path."]
        remedy["List the items of the bucketlist to see their ids."]
    /// There is no user with this id.
    404 UserNotFound "USER_NOT_FOUND" "There is no such user."
        causes["The account was deleted, or never was."]
        remedy["List the users to see their ids."]
    /// You have no session with this id.
    404 SessionNotFound "SESSION_NOT_FOUND" "There is no such session."
        causes["The session has ended already.", "It is a session of another account."]
        remedy["List your sessions to see those that live. One that you wanted to end needs nothing more."]
    /// There is no export with this id, or it belongs to somebody else.
    404 ExportNotFound "EXPORT_NOT_FOUND" "There is no such export."
        causes[
            "The export has expired: `expires_at` said when.",
            "You have made ten newer ones, or it belongs to another account than the token.",
        ]
        remedy["Ask for a new export."]
    /// There is no incident with this id, or it is older than the server keeps them.
    404 IncidentNotFound "INCIDENT_NOT_FOUND" "There is no such incident."
        causes[
            "The incident has expired: incidents are kept for some days only.",
            "It was deleted, made room for others, or never was.",
        ]
        remedy["List the incidents, or look for the request id in the log, which may be older."]
    /// The path exists, the method does not.
    405 MethodNotAllowed "METHOD_NOT_ALLOWED" "This path does not offer this method."
        causes[
            "The method is another one than the documentation says.",
            "A redirect or a proxy has changed the method.",
        ]
        remedy["Use a method of those that the `Allow` header lists."]
    /// No representation of the answer matches the `Accept` header.
    406 NotAcceptable "NOT_ACCEPTABLE" "No representation matches the Accept header."
        causes[
            "`Accept` names only media types that the operation does not answer with, or refuses its own with `q=0`.",
        ]
        remedy["Accept what the message offers, or leave the header out."]
    /// `Accept-Version` names a version of the contract that this server does not have.
    406 UnsupportedVersion "UNSUPPORTED_VERSION" "This server does not have the version that was asked for."
        causes[
            "`Accept-Version` is not the number of a supported version.",
            "The client is newer than the server, or the version was retired.",
        ]
        remedy[
            "Ask for one of the versions that the message lists, or call a path that begins with its version, such as \
             `/v1`."
        ]
    /// The body did not arrive in time.
    408 RequestTimeout "REQUEST_TIMEOUT" "The request did not arrive in time."
        causes["The connection is slow, or stalled.", "`Content-Length` announces more than is sent."]
        remedy["Send the request again; split what is large."]
    /// Another account has this email address (compared without case).
    409 EmailTaken "EMAIL_TAKEN" "Another account uses this email address."
        causes["Somebody, perhaps you, has registered with this email address."]
        remedy["Log in with it, ask for a password reset, or use another address."]
    /// You already have a bucketlist of this name.
    409 BucketlistNameTaken "BUCKETLIST_NAME_TAKEN" "You already have a bucketlist of this name."
        causes["One of your bucketlists has this name already; perhaps an earlier attempt made it."]
        remedy["Choose another name, or go on with the bucketlist that you have."]
    /// The last active administrator cannot be demoted, disabled or deleted.
    409 LastAdmin "LAST_ADMIN" "This is the last active administrator."
        causes["Without this account nobody could administer the server."]
        remedy["Make another account an administrator first."]
    /// The incident is sealed with a key that the server does not have.
    409 IncidentSealed "INCIDENT_SEALED" "The incident is sealed with a key that this server does not have."
        causes["`INCIDENTS_KEY` was changed, and the key before it is not among `INCIDENTS_PREVIOUS_KEYS`."]
        remedy["Give the server the key that the incident was sealed with, as one of `INCIDENTS_PREVIOUS_KEYS`."]
    /// The incident's request is longer than what is kept of one: it cannot be sent again.
    409 IncidentTruncated "INCIDENT_TRUNCATED" "Only the beginning of the request was kept: it cannot be sent again."
        causes["The body of the request was longer than `INCIDENTS_BODY_LIMIT`."]
        remedy["Take the HTTP archive, which shows what was kept; raise the limit to keep more of the next one."]
    /// The export has no file: it is still being made, or could not be made.
    409 ExportNotReady "EXPORT_NOT_READY" "The export has no file."
        causes["The file is still being made.", "It could not be made: the `state` of the export is `failed`."]
        remedy[
            "Fetch the export until its `state` is `finished`, waiting as `Retry-After` says. Ask for a new one if it is \
             `failed`."
        ]
    /// A request with the same `Idempotency-Key` is still being answered.
    409 IdempotencyKeyInFlight "IDEMPOTENCY_KEY_IN_FLIGHT" "A request with this Idempotency-Key is being answered."
        causes["The request was sent again before the first was answered, or twice at the same time."]
        remedy["Wait a moment and send the same request with the same key: it is answered as the first one was."]
    /// The operation is past its sunset and has a successor.
    410 Gone "GONE" "This operation has been retired."
        causes["The day that its `Sunset` header announced has passed."]
        remedy["Use the successor, which the `Link` header names with `rel=\"successor-version\"`."]
    /// The thing is not in the state that `If-Match` asks for; nothing was changed.
    412 PreconditionFailed "PRECONDITION_FAILED" "The resource has changed since you read it."
        causes[
            "Somebody else, or another client of yours, has changed it in between.",
            "The entity tag belongs to another resource.",
        ]
        remedy["Read it again, apply your change to what you find, and send that with the new `ETag` in `If-Match`."]
    /// The body is larger than the server takes (1 MiB unless configured otherwise).
    413 PayloadTooLarge "PAYLOAD_TOO_LARGE" "The request body is too large."
        causes["The body, or the length that it announces, is above the limit."]
        remedy["Send less at once, in several requests."]
    /// The URL is longer than 8 KiB.
    414 UriTooLong "URI_TOO_LONG" "The URL is too long."
        causes["A parameter in the query is very long, or one is repeated very often."]
        remedy["Shorten the query. What is large belongs in a body."]
    /// The body's `Content-Type` is not one the operation takes.
    415 UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" "The Content-Type of the request body is not supported."
        causes[
            "There is no `Content-Type`, or it is that of a form or of plain text.",
            "The body is compressed (`Content-Encoding`).",
        ]
        remedy["Send the media type that the message names, uncompressed."]
    /// The request is well-formed and breaks a rule; every violation is listed with its place.
    422 ValidationFailed "VALIDATION_FAILED" "The request breaks one or more rules."
        causes[
            "A field or a parameter is missing, has the wrong type, is too long, or is not among the values allowed.",
        ]
        remedy["Mend everything that is listed, then send the request again: all violations are reported at once."]
    /// The body has a field that the operation does not know; requests are closed, so that a typing mistake cannot pass
    /// unseen.
    422 UnknownField "UNKNOWN_FIELD" "The request body has an unknown field."
        causes[
            "The name of a field has a typing mistake.",
            "A whole response was sent back, with fields that only the server sets, such as `id`.",
        ]
        remedy["Send the fields of the request's schema only."]
    /// The query has a parameter that the operation does not know.
    422 UnknownParameter "UNKNOWN_PARAMETER" "The query has an unknown parameter."
        causes[
            "The name of a parameter has a typing mistake.",
            "Another operation, or another version of this one, has the parameter.",
        ]
        remedy["Send the parameters that the documentation lists for the operation only."]
    /// The current password is wrong.
    422 WrongPassword "WRONG_PASSWORD" "The current password is wrong."
        causes["The operation asks for the current password once more, and it is another one."]
        remedy["Ask the user to type the current password again, or reset it."]
    /// The password-reset token is unknown, expired or already used.
    422 InvalidResetToken "INVALID_RESET_TOKEN" "The password-reset token is not valid."
        causes["The mail is too old, or its token was used.", "The token was not copied whole."]
        remedy["Ask for another password reset, and use the token of the latest mail."]
    /// The `Idempotency-Key` was used before, for another request.
    422 IdempotencyKeyReused "IDEMPOTENCY_KEY_REUSED" "This Idempotency-Key was used for another request."
        causes["The same key came with another body, or with another operation, in the last 24 hours."]
        remedy[
            "Make a new key for each thing to be done, such as a random UUID; repeat a key only to repeat the very \
             same request."
        ]
    /// The server changes this only for clients that say which state they have seen.
    428 PreconditionRequired "PRECONDITION_REQUIRED" "This change needs an If-Match header."
        causes[
            "The server is configured to refuse changes without `If-Match`, so that nobody overwrites what they have \
             not seen.",
        ]
        remedy["Read the resource, and send its `ETag` in `If-Match` with the change."]
    /// Too many requests in a short time.
    429 RateLimitExceeded "RATE_LIMIT_EXCEEDED" "Too many requests; wait before you try again."
        causes[
            "The caller, or everybody at its address, has sent more requests than `RateLimit-Policy` allows.",
            "Somebody, perhaps somebody else, has tried too often to log in to the account or to reset its password \
             (`login-account`, `password-reset-account`), and it was never logged in to from your address.",
        ]
        remedy["Wait for the seconds in `Retry-After`. Watch `RateLimit`, which says how many requests are left."]
    /// The header block is larger than 16 KiB.
    431 HeadersTooLarge "HEADERS_TOO_LARGE" "The request headers are too large."
        causes["The request carries large cookies, or many headers that something on the way has added."]
        remedy["Send fewer and smaller headers; the API needs no cookies."]
    /// Something went wrong on our side.
    500 InternalError "INTERNAL_ERROR" "Something went wrong on our side."
        causes["The server has a mistake, which is in its log under the request's id."]
        remedy["Quote the request id when you ask about it. Sending the same request again rarely helps."]
    /// The server cannot answer just now.
    503 ServiceUnavailable "SERVICE_UNAVAILABLE" "The service cannot answer just now."
        causes[
            "It is busy: no connection to the database became free in time, or the answer took too long.",
            "It is stopping.",
            "Its database is away.",
        ]
        remedy["Send the request again after the seconds in `Retry-After`."]
}
