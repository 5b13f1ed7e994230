//! The Postman collection of this API: how a run goes, in the words of BucketList.
//!
//! Owns the order of the requests, what one hands on to the next, and the scripts that log in. The format, the bodies, the
//! saved answers and the tests come from the documents by way of [`openapi_postman`]. Must not know the server: what is
//! written here is the same wherever it runs.
//!
//! A run makes an account of its own and deletes it at the end, so it can be repeated and disturbs nobody. What a run
//! cannot have is asserted as what it is: without an administrator's account the operations for administrators must be
//! refused, without a mailed token the password must not be reset.

mod steps;

use contract::{v1, v2};
use openapi_model::Document;
use openapi_postman::{ErrorShape, Part, Plan, PlanError, Recipe};

/// A file of the folder `postman/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path in the folder.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

/// The collection as it was committed, and is served: `bucketlist postman check` tells whether it is the code's.
pub const COLLECTION: &str = include_str!("../../postman/collection.json");

const PLAN: Plan<'_> = Plan {
    name: "BucketList API",
    description: "Every operation of the BucketList API, with its documented answers saved beside it and tests of status, \
headers and body.\n\nTo run all of it, give `base_url` the origin of a server and run the collection in its order: it makes an \
account of its own, and deletes it at the end. With `admin_email` and `admin_password` it tries the administrators' \
operations for real; without, that they are refused.\n\nTo send single requests, give `email` and `password` those of your \
account: logging in happens by itself.",
    variables: &[
        ("base_url", "http://localhost:8000"),
        ("email", ""),
        ("password", ""),
        ("admin_email", ""),
        ("admin_password", ""),
        ("reset_token", ""),
        ("mailed_token", "nobody-was-mailed-this"),
        ("account_email", ""),
        ("account_password", ""),
        ("new_password", ""),
        ("access_token", ""),
        ("refresh_token", ""),
        ("token_expires_at", ""),
        ("other_access_token", ""),
        ("admin_access_token", ""),
        ("admin_expires_at", ""),
        ("guest_id", ""),
        ("user_id", "1"),
        ("session_id", "1"),
        ("bucketlist_id", "1"),
        ("item_id", "1"),
        ("incident_id", "1"),
        // Until a request has seen one: whatever there is.
        ("me_etag", "*"),
        ("bucketlist_etag", "*"),
        ("item_etag", "*"),
    ],
    base_url: "base_url",
    token: "access_token",
};

/// What an environment is made of beside its address. No environment has a secret in it.
const ACCOUNTS: [&str; 4] = ["email", "password", "admin_email", "admin_password"];
/// Kept hidden by Postman, once somebody has given them a value.
const SECRET: [&str; 2] = ["password", "admin_password"];

/// On every answer, whatever was asked.
const HEADERS: &[(&str, &str)] = &[
    ("X-Content-Type-Options", "^nosniff$"),
    ("X-Frame-Options", "^DENY$"),
    ("Referrer-Policy", "^no-referrer$"),
    ("Content-Security-Policy", "^default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "^same-origin$"),
    ("Cross-Origin-Resource-Policy", "^same-(origin|site)$"),
    ("Cross-Origin-Embedder-Policy", "^require-corp$"),
];

/// What the documents promise of headers in words.
const DOCUMENTED_HEADERS: &[(&str, &str)] = &[
    ("X-Request-ID", "^[A-Za-z0-9._-]{1,128}$"),
    ("X-Response-Time", r"^[0-9]+\.[0-9]{3}s$"),
    ("Cache-Control", "^(no-store|private, no-cache)$"),
    ("Vary", r"(^|, )Accept(,|$)"),
    ("ETag", "^\"[!#-~]+\"$"),
    ("Location", "^/v[12]/"),
    ("Deprecation", "^@[0-9]+$"),
    ("Sunset", " GMT$"),
    ("Link", "^<[^>]+>; rel=\"[a-z-]+\""),
    ("WWW-Authenticate", "^Bearer "),
    ("Retry-After", "^[0-9]+$"),
    ("RateLimit-Policy", "^\"[a-z-]+\";q=[0-9]+;w=[0-9]+"),
    ("RateLimit", "^\"[a-z-]+\";r=[0-9]+;t=[0-9]+"),
    ("Accept-Patch", "^application/(merge-patch\\+)?json$"),
];

/// Every file of the folder `postman/`.
///
/// # Errors
/// When a recipe does not fit its document any more.
pub fn files() -> Result<Vec<File>, PlanError> {
    let (v1, v2) = (recipe("v1", v1::document::BASE, V1_ERRORS), recipe("v2", v2::document::BASE, V2_ERRORS));
    let parts = [part(v1::document(), &v1), part(v2::document(), &v2)];
    let mut files = vec![
        File { name: "collection.json", text: openapi_postman::collection(&PLAN, &parts)? },
        File { name: "collection.har", text: openapi_postman::har(&PLAN, &parts)? },
        File { name: "v1.http", text: openapi_postman::http_file(&PLAN, &parts[..1])? },
        File { name: "v2.http", text: openapi_postman::http_file(&PLAN, &parts[1..])? },
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

/// An environment for a server at this origin. Accounts are for whoever imports it.
#[must_use]
pub fn environment(name: &str, origin: &str) -> String {
    let mut variables = vec![("base_url", origin)];
    variables.extend(ACCOUNTS.map(|name| (name, "")));
    openapi_postman::environment(&format!("BucketList {name}"), &variables, &SECRET)
}

const V1_ERRORS: ErrorShape<'_> =
    ErrorShape { code: "/error/code", request_id: "/error/request_id", request_id_header: "X-Request-ID" };
const V2_ERRORS: ErrorShape<'_> =
    ErrorShape { code: "/code", request_id: "/request_id", request_id_header: "X-Request-ID" };

fn recipe(version: &'static str, base: &str, errors: ErrorShape<'static>) -> Recipe<'static> {
    Recipe {
        folder: version,
        before: steps::script(include_str!("scripts/session.js"), base),
        errors,
        headers: HEADERS,
        documented_headers: DOCUMENTED_HEADERS,
        steps: if version == "v1" { steps::v1(base) } else { steps::v2(base) },
    }
}

fn part<'a>(document: &'a Document, recipe: &'a Recipe<'a>) -> Part<'a> {
    Part { document, recipe }
}
