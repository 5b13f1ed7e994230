//! The Postman collection of this API.
//!
//! Defines the order of the requests, the variables that they share, and the scripts that log in. [`openapi_postman`] generates
//! the rest from the OpenAPI documents: request bodies, example responses and tests. The collection is the same for every
//! server; only the environments differ.
//!
//! A run creates an account and deletes it at the end, so it can be repeated and does not affect other users. If credentials
//! are missing, the tests expect the error: 403 from the operations for administrators without an administrator's account,
//! and 422 from the password reset without the token from the email.

mod steps;

use std::borrow::Cow;

use contract::{v1, v2};
use openapi_postman::{CollectionError, CollectionOptions, ErrorShape, Folder, FolderOptions};

/// A file of the directory `postman/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path in the directory.
    pub name: &'static str,
    /// Content.
    pub text: String,
}

/// The committed collection, which the server publishes. `bucketlist postman check` compares it with the generated one.
pub const COLLECTION: &str = include_str!("../../postman/collection.json");

/// The other committed files, by their name in the directory `postman/`.
const COMMITTED: [(&str, &str); 6] = [
    ("collection.har", include_str!("../../postman/collection.har")),
    ("v1.http", include_str!("../../postman/v1.http")),
    ("v2.http", include_str!("../../postman/v2.http")),
    ("environments/local.json", include_str!("../../postman/environments/local.json")),
    ("environments/staging.json", include_str!("../../postman/environments/staging.json")),
    ("environments/production.json", include_str!("../../postman/environments/production.json")),
];
/// Origin of the server in the files that have no variables.
const COMMITTED_ORIGIN: &str = "http://localhost:8000";

const OPTIONS: CollectionOptions<'_> = CollectionOptions {
    name: "BucketList API",
    description: "All operations of the BucketList API, with the documented responses as examples and with tests of status, \
headers and body.\n\nTo run the collection, set `base_url` to the origin of a server and run the requests in order. A run \
creates an account and deletes it at the end. Set `admin_email` and `admin_password` to test the operations for \
administrators; without them, the tests expect 403.\n\nTo send a single request, set `email` and `password` to those of \
your account. The collection logs in automatically.",
    variables: &[
        ("base_url", "http://localhost:8000"),
        ("email", ""),
        ("password", ""),
        ("admin_email", ""),
        ("admin_password", ""),
        ("reset_token", ""),
        ("mailed_token", "not-a-valid-reset-token"),
        ("account_email", ""),
        ("account_password", ""),
        ("new_password", ""),
        ("access_token", ""),
        ("refresh_token", ""),
        ("token_expires_at", ""),
        ("other_access_token", ""),
        ("admin_access_token", ""),
        ("admin_expires_at", ""),
        ("managed_user_id", ""),
        ("user_id", "1"),
        ("session_id", "1"),
        ("bucketlist_id", "1"),
        ("item_id", "1"),
        ("incident_id", "1"),
        ("api_client_id", "1"),
        ("job_id", "1"),
        ("schedule_name", "purge"),
        ("api_key", ""),
        ("timestamp", ""),
        // Until a response has set them, the requests match any state.
        ("me_etag", "*"),
        ("bucketlist_etag", "*"),
        ("item_etag", "*"),
    ],
    base_url: "base_url",
    token: "access_token",
    http_variables: &[
        ("admin_email", "unknown@example.com"),
        ("admin_password", "not-an-administrator"),
        ("timestamp", "{{$timestamp}}"),
    ],
};

/// Variables of an environment besides `base_url`. They are empty: the environments contain no credentials.
const ACCOUNTS: [&str; 4] = ["email", "password", "admin_email", "admin_password"];
/// Variables whose values Postman masks.
const SECRETS: [&str; 2] = ["password", "admin_password"];

/// Headers of every response, with the patterns of their values.
const HEADERS: &[(&str, &str)] = &[
    ("X-Content-Type-Options", "^nosniff$"),
    ("X-Frame-Options", "^DENY$"),
    ("Referrer-Policy", "^no-referrer$"),
    ("Content-Security-Policy", "^default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "^same-origin$"),
    ("Cross-Origin-Resource-Policy", "^same-(origin|site)$"),
    ("Cross-Origin-Embedder-Policy", "^require-corp$"),
];

/// Patterns for headers whose format the documents describe in words.
const DOCUMENTED_HEADERS: &[(&str, &str)] = &[
    ("X-Request-ID", "^[A-Za-z0-9._-]{1,128}$"),
    ("X-Response-Time", r"^[0-9]+\.[0-9]{3}s$"),
    ("Cache-Control", "^(no-store|private, no-cache)$"),
    ("Vary", r"(^|, )Accept(,|$)"),
    ("ETag", "^\"[!#-~]+\"$"),
    ("Location", "^/([^/?#]+/)*v[12]/"),
    ("Deprecation", "^@[0-9]+$"),
    ("Sunset", " GMT$"),
    ("Link", "^<[^>]+>; rel=\"[a-z-]+\""),
    ("WWW-Authenticate", "^Bearer "),
    ("Retry-After", "^[0-9]+$"),
    ("RateLimit-Policy", "^\"[a-z-]+\";q=[0-9]+;w=[0-9]+"),
    ("RateLimit", "^\"[a-z-]+\";r=[0-9]+;t=[0-9]+"),
    ("Accept-Patch", "^application/json, application/merge-patch\\+json$"),
];

/// Generates the files of the directory `postman/`.
///
/// # Errors
/// Fails if a step does not match its document, for example because an operation was renamed.
pub fn files() -> Result<Vec<File>, CollectionError> {
    let (v1, v2) =
        (folder_options("v1", v1::document::BASE, V1_ERRORS), folder_options("v2", v2::document::BASE, V2_ERRORS));
    let folders =
        [Folder { document: v1::document(), options: &v1 }, Folder { document: v2::document(), options: &v2 }];
    let mut files = vec![
        File { name: "collection.json", text: openapi_postman::collection(&OPTIONS, &folders)? },
        File { name: "collection.har", text: openapi_postman::har(&OPTIONS, &folders)? },
        File { name: "v1.http", text: openapi_postman::http_file(&OPTIONS, &folders[..1])? },
        File { name: "v2.http", text: openapi_postman::http_file(&OPTIONS, &folders[1..])? },
    ];
    for (name, title, origin) in [
        ("environments/local.json", "local", "http://localhost:8000"),
        ("environments/staging.json", "staging", "https://staging.bucketlist.example.com"),
        ("environments/production.json", "production", "https://bucketlist.example.com"),
    ] {
        files.push(File { name, text: environment(title, origin) });
    }
    Ok(files)
}

/// Returns the names and texts of the files that a server at this origin publishes: the collection, the environment of the
/// server, and the committed files. HTTP archives and request files refer to the server.
#[must_use]
pub fn published_files(environment_name: &str, origin: &str) -> Vec<(&'static str, Cow<'static, str>)> {
    let mut files = vec![
        ("collection.json", Cow::Borrowed(COLLECTION)),
        ("environment.json", Cow::Owned(environment(environment_name, origin))),
    ];
    files.extend(COMMITTED.map(|(name, text)| match name.starts_with("environments/") {
        true => (name, Cow::Borrowed(text)),
        false => (name, Cow::Owned(text.replace(COMMITTED_ORIGIN, origin))),
    }));
    files
}

/// Generates the environment of a server at this origin, without credentials.
#[must_use]
pub fn environment(name: &str, origin: &str) -> String {
    let mut variables = vec![("base_url", origin)];
    variables.extend(ACCOUNTS.map(|name| (name, "")));
    openapi_postman::environment(&format!("BucketList {name}"), &variables, &SECRETS)
}

const V1_ERRORS: ErrorShape<'_> =
    ErrorShape { code: "/error/code", request_id: "/error/request_id", request_id_header: "X-Request-ID" };
const V2_ERRORS: ErrorShape<'_> =
    ErrorShape { code: "/code", request_id: "/request_id", request_id_header: "X-Request-ID" };

fn folder_options(version: &'static str, base: &str, errors: ErrorShape<'static>) -> FolderOptions<'static> {
    FolderOptions {
        name: version,
        before: steps::with_base_path(include_str!("scripts/session.js"), base),
        http_before: include_str!("scripts/http_account.js"),
        errors,
        headers: HEADERS,
        documented_headers: DOCUMENTED_HEADERS,
        steps: if version == "v1" { steps::v1(base) } else { steps::v2(base) },
    }
}
