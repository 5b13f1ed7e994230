//! API clients and their keys.

use poem_openapi::{
    Enum, Object,
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};

use super::{Links, example_time};
use crate::values::{EmailAddress, Id, Nullable, Timestamp};

/// Permission of an API client. Scopes are independent: `write` does not include `read`.
///
/// - `read`: GET requests.
/// - `write`: Requests with other methods.
/// - `admin`: The operations of administrators, if the account is an administrator.
#[derive(Clone, Copy, Debug, Deserialize, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ApiScope {
    /// GET requests.
    Read,
    /// Requests with other methods.
    Write,
    /// The operations of administrators, if the account is an administrator.
    Admin,
}

/// The key of the API client in the seed data. It is public, like the passwords of the seeded accounts.
pub const EXAMPLE_API_KEY: &str = "blk_demoDemo_DemoKeyThatIsPublicLikeTheSampleDataItself03TLDAA";
/// The identifier of [`EXAMPLE_API_KEY`].
pub const EXAMPLE_API_KEY_PREFIX: &str = "demoDemo";
/// The name of the API client in the seed data.
pub const EXAMPLE_API_CLIENT: &str = "Mobile app";
/// The contact of the API client in the seed data.
pub const EXAMPLE_CONTACT: &str = "developers@example.com";

/// A program that acts for an account with a key.
#[derive(Clone, Debug, Object, Serialize)]
// openapi-generator has a class with the name `ApiClient` in each client.
#[oai(rename = "ApiClientDetails", example)]
pub struct ApiClient {
    /// ID of the API client.
    pub id: Id,
    /// Name of the API client.
    #[oai(validator(max_length = 100))]
    pub name: String,
    /// Email address for notices, for example about deprecated operations that the API client calls.
    pub contact_email: EmailAddress,
    /// ID of the account that the API client acts for.
    pub user_id: Id,
    /// Scopes of the key.
    #[oai(validator(max_items = 10))]
    pub scopes: Vec<ApiScope>,
    /// Requests per minute; null for the general rate limit.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub rate_limit: Nullable<i32>,
    /// Identifier of the newest key: `<prefix>` in `blk_<prefix>_…`. Not secret.
    #[oai(validator(max_length = 16))]
    pub key_prefix: String,
    /// Time at which the key expires; null if it does not expire.
    pub expires_at: Nullable<Timestamp>,
    /// Time at which a key was last used; null if none was ever used. The first use of each key is recorded immediately, later ones with a
    /// precision of one minute.
    pub last_used_at: Nullable<Timestamp>,
    /// Time at which previous keys expire; null if there are none.
    pub previous_valid_until: Nullable<Timestamp>,
    /// Whether the contact is notified by email of deprecated operations that the API client calls.
    pub deprecation_notices_enabled: bool,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

example! { ApiClient {
    id: Id(1), name: EXAMPLE_API_CLIENT.into(), contact_email: EXAMPLE_CONTACT.into(), user_id: Id(2),
    scopes: vec![ApiScope::Read, ApiScope::Write], rate_limit: Nullable(Some(300)),
    key_prefix: EXAMPLE_API_KEY_PREFIX.into(), expires_at: Nullable(None), last_used_at: Nullable(None),
    previous_valid_until: Nullable(None), deprecation_notices_enabled: true, created_at: example_time(),
    updated_at: example_time(), links: Links::ApiClient(1),
} }

/// A new API client with its key.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ApiClientCreated {
    /// ID of the API client.
    pub id: Id,
    /// Name of the API client.
    #[oai(validator(max_length = 100))]
    pub name: String,
    /// Email address for notices, for example about deprecated operations that the API client calls.
    pub contact_email: EmailAddress,
    /// ID of the account that the API client acts for.
    pub user_id: Id,
    /// Scopes of the key.
    #[oai(validator(max_items = 10))]
    pub scopes: Vec<ApiScope>,
    /// Requests per minute; null for the general rate limit.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub rate_limit: Nullable<i32>,
    /// Key, which is not stored and cannot be retrieved later. Null in a replayed response (`Idempotency-Replayed`): replace
    /// the key with `rotateApiClientKey` if you did not receive the first response.
    #[oai(validator(max_length = 128))]
    pub key: Nullable<String>,
    /// Identifier of the key: `<prefix>` in `blk_<prefix>_…`. Not secret.
    #[oai(validator(max_length = 16))]
    pub key_prefix: String,
    /// Time at which the key expires; null if it does not expire.
    pub expires_at: Nullable<Timestamp>,
    /// Time at which the key was last used; null if it was never used.
    pub last_used_at: Nullable<Timestamp>,
    /// Time at which previous keys expire; null if there are none.
    pub previous_valid_until: Nullable<Timestamp>,
    /// Whether the contact is notified by email of deprecated operations that the API client calls.
    pub deprecation_notices_enabled: bool,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl ApiClientCreated {
    /// Adds the key to a new API client; `None` for a replayed response.
    #[must_use]
    pub fn new(client: ApiClient, key: Option<String>) -> Self {
        Self {
            id: client.id,
            name: client.name,
            contact_email: client.contact_email,
            user_id: client.user_id,
            scopes: client.scopes,
            rate_limit: client.rate_limit,
            key: Nullable(key),
            key_prefix: client.key_prefix,
            expires_at: client.expires_at,
            last_used_at: client.last_used_at,
            previous_valid_until: client.previous_valid_until,
            deprecation_notices_enabled: client.deprecation_notices_enabled,
            created_at: client.created_at,
            updated_at: client.updated_at,
            links: client.links,
        }
    }
}

impl Example for ApiClientCreated {
    fn example() -> Self {
        Self::new(ApiClient::example(), Some(EXAMPLE_API_KEY.into()))
    }
}

/// A new API client.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ApiClientCreate {
    /// Name, 1 to 100 characters, at least one of them visible.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// Email address for notices, for example about deprecated operations that the API client calls.
    pub contact_email: EmailAddress,
    /// ID of the account that the API client acts for. Default: your account.
    #[oai(nullable)]
    #[serde(default)]
    pub user_id: Option<Id>,
    /// Scopes of the key. Duplicates have no effect.
    #[oai(validator(min_items = 1, max_items = 10))]
    pub scopes: Vec<ApiScope>,
    /// Requests per minute, counted separately from other clients of the account. Default: the general rate limit.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "1000000")))]
    #[serde(default)]
    pub rate_limit: Option<i32>,
    /// Time at which the key expires, in the future. Default: the key does not expire.
    #[oai(nullable)]
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

example! { ApiClientCreate {
    name: "Nightly sync".into(), contact_email: EXAMPLE_CONTACT.into(), user_id: None,
    scopes: vec![ApiScope::Read], rate_limit: Some(60), expires_at: None,
} }

/// Changes to an API client: a JSON merge patch (RFC 7396). Omitted fields keep their value; null clears a field.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ApiClientPatch {
    /// Name, 1 to 100 characters, at least one of them visible.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// Email address for notices.
    pub contact_email: Option<EmailAddress>,
    /// Scopes of the key. Duplicates have no effect. Apply to the next request.
    #[oai(validator(min_items = 1, max_items = 10))]
    pub scopes: Option<Vec<ApiScope>>,
    /// Requests per minute; null for the general rate limit.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "1000000")))]
    #[serde(default)]
    pub rate_limit: MaybeUndefined<i32>,
    /// Time at which the key expires, in the future; null if it does not expire.
    #[oai(nullable)]
    #[serde(default)]
    pub expires_at: MaybeUndefined<Timestamp>,
    /// Whether the contact is notified by email of deprecated operations that the API client calls. If `false`, notices that become due are
    /// recorded as `suppressed` and not sent later.
    pub deprecation_notices_enabled: Option<bool>,
}

example! { ApiClientPatch {
    name: None, contact_email: None, scopes: Some(vec![ApiScope::Read]), rate_limit: MaybeUndefined::Value(60),
    expires_at: MaybeUndefined::Null, deprecation_notices_enabled: Some(true),
} }

/// A new key of an API client.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ApiClientKey {
    /// Key, which is not stored and cannot be retrieved later.
    #[oai(validator(max_length = 128))]
    pub key: String,
    /// Identifier of the key: `<prefix>` in `blk_<prefix>_…`. Not secret.
    #[oai(validator(max_length = 16))]
    pub key_prefix: String,
    /// Time at which the previous keys expire.
    pub previous_valid_until: Timestamp,
}

example! { ApiClientKey {
    key: EXAMPLE_API_KEY.into(), key_prefix: EXAMPLE_API_KEY_PREFIX.into(), previous_valid_until: example_time(),
} }
