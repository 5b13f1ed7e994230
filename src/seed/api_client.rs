//! The sample API client, which the examples of the contract show.

use contract::v2::schemas::{EXAMPLE_API_CLIENT, EXAMPLE_API_KEY, EXAMPLE_CONTACT};
use diesel::QueryResult;

use crate::{
    auth::ApiKey,
    db::{DbConnection, repositories::api_clients},
    domain::{ApiScope, NewApiClient, Timestamp, UserId},
};

/// Requests per minute.
const RATE_LIMIT: i32 = 300;

/// Inserts an API client of the demo user. Its key is public, like the password of that account.
pub(super) fn insert(c: &mut DbConnection, demo: UserId, at: Timestamp) -> QueryResult<()> {
    let client = NewApiClient {
        name: EXAMPLE_API_CLIENT.to_owned(),
        contact_email: EXAMPLE_CONTACT.to_owned(),
        user_id: demo,
        scopes: [ApiScope::Read, ApiScope::Write].into_iter().collect(),
        rate_limit: Some(RATE_LIMIT),
        expires_at: None,
        created_at: at,
    };
    let Some(key) = ApiKey::parse(EXAMPLE_API_KEY) else { return Ok(()) };
    api_clients::insert(c, &client, &key.to_stored()).map(drop)
}

#[cfg(test)]
mod tests {
    use contract::v2::schemas::EXAMPLE_API_KEY_PREFIX;

    use super::*;

    #[test]
    fn example_key_is_valid() {
        assert_eq!(ApiKey::parse(EXAMPLE_API_KEY).unwrap().prefix(), EXAMPLE_API_KEY_PREFIX);
    }
}
