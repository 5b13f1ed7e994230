//! API clients: programs that act for an account with a key. Administrators manage them.

use std::{sync::Arc, time::Duration};

use super::{Context, Error, Idempotent, Precondition, Resource, idempotency::KeyedRequest};
use crate::{
    auth::ApiKey,
    db::{
        DbConnection,
        repositories::{api_clients, audit, users},
    },
    domain::{
        ApiClient, ApiClientChanges, ApiClientId, ApiScopes, AuditAction, AuditOrigin, CursorPage, CursorQuery, ETag,
        Email, NewApiClient, NewAuditEvent, Timestamp, UserId, Versioned,
    },
};

/// Manages API clients.
#[derive(Clone)]
pub struct ApiClients(pub(super) Arc<Context>);

/// The fields of an API client to create.
#[derive(Clone, Debug)]
pub struct ApiClientContent {
    pub name: String,
    pub contact_email: String,
    pub user_id: UserId,
    pub scopes: ApiScopes,
    pub rate_limit: Option<i32>,
    pub expires_at: Option<Timestamp>,
}

/// A new key of an API client.
pub struct RotatedKey {
    pub key: ApiKey,
    pub previous_valid_until: Timestamp,
}

impl ApiClients {
    /// Lists API clients by cursor, of all accounts or of one.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_cursor(&self, query: CursorQuery<Option<UserId>>) -> Result<CursorPage<ApiClient>, Error> {
        let (is_one_statement, now) = (!query.with_total, self.0.clock.now());
        let work = move |c: &mut DbConnection| {
            let rows = api_clients::list_after(c, query.filter, &query.keyset_with_lookahead())?;
            let rows = rows.into_iter().map(|client| client.at(now)).collect();
            let total = if query.with_total { Some(api_clients::count(c, query.filter)?) } else { None };
            Ok(query.to_page(rows, total))
        };
        if is_one_statement { self.0.db.read(work).await } else { self.0.db.snapshot(work).await }
    }

    /// Retrieves an API client.
    ///
    /// # Errors
    /// `NotFound(ApiClient)`.
    pub async fn get(&self, id: ApiClientId) -> Result<Versioned<ApiClient>, Error> {
        let client = self.0.db.read(move |c| api_clients::find(c, id).map_err(Error::from)).await?;
        let now = self.0.clock.now();
        client.map(|client| versioned(client.at(now))).ok_or(Error::NotFound(Resource::ApiClient))
    }

    /// Creates an API client for `caller`, and its key. The result of a retry has no key, because keys are not stored.
    ///
    /// # Errors
    /// `Invalid`; with an idempotency key also `Conflict(IdempotencyKeyInFlight)` and `IdempotencyKeyReused`.
    pub async fn create(
        &self,
        caller: UserId,
        content: ApiClientContent,
        idempotency_key: Option<String>,
        origin: AuditOrigin,
    ) -> Result<(Idempotent<Versioned<ApiClient>>, Option<ApiKey>), Error> {
        let contact_email = parse_contact(&content.contact_email)?;
        let ApiClientContent { name, user_id, scopes, rate_limit, expires_at, .. } = content;
        let canonical = (&name, &contact_email, user_id, scopes.to_string(), rate_limit, expires_at);
        let request = KeyedRequest::new(caller, idempotency_key, "api_client", &canonical)?;
        let now = self.0.clock.now();
        let new = NewApiClient { name, contact_email, user_id, scopes, rate_limit, expires_at, created_at: now };
        let key = ApiKey::generate(&*self.0.random);
        let stored = key.to_stored();
        let created = self
            .0
            .create_once(caller, request, move |c| {
                // The lock prevents that the account is deleted before the commit.
                let user = users::find_for_update(c, user_id)?.ok_or_else(unknown_user)?;
                if user.disabled {
                    return Err(disabled_user());
                }
                if new.expires_at.is_some_and(|at| at <= now) {
                    return Err(past_expiry());
                }
                let client = api_clients::insert(c, &new, &stored)?;
                let event = NewAuditEvent::on_api_client(AuditAction::ApiClientCreated, client.id)
                    .with("name", &client.name)
                    .with("user_id", user_id)
                    .with("scopes", scopes);
                audit::append(c, &origin, &event, now)?;
                Ok(client)
            })
            .await?;
        let key = (!created.replayed).then_some(key);
        Ok((created.map(versioned), key))
    }

    /// Changes some fields of an API client. Writes nothing if no value differs.
    ///
    /// # Errors
    /// `NotFound(ApiClient)`, `Invalid`, `Conflict(PreconditionFailed)`.
    pub async fn update(
        &self,
        id: ApiClientId,
        mut changes: ApiClientChanges,
        precondition: Precondition,
        origin: AuditOrigin,
    ) -> Result<Versioned<ApiClient>, Error> {
        changes.contact_email = changes.contact_email.as_deref().map(parse_contact).transpose()?;
        let now = self.0.clock.now();
        let work = move |c: &mut DbConnection| {
            let before = find_for_update(c, id)?.at(now);
            precondition.check(&settings(&before))?;
            let after = changes.clone().apply(&before);
            if after == before {
                return Ok(before);
            }
            if after.expires_at != before.expires_at && after.expires_at.is_some_and(|at| at <= now) {
                return Err(past_expiry());
            }
            let client = api_clients::update(c, &after, now.later_than(before.updated_at))?.at(now);
            audit::append(c, &origin, &update_event(&before, &client), now)?;
            Ok(client)
        };
        self.0.write_token_status_of(work, |client| Some(client.user_id)).await.map(versioned)
    }

    /// Replaces the key of an API client. The previous keys remain valid for `overlap`.
    ///
    /// # Errors
    /// `NotFound(ApiClient)`.
    pub async fn rotate(&self, id: ApiClientId, overlap: Duration, origin: AuditOrigin) -> Result<RotatedKey, Error> {
        let now = self.0.clock.now();
        let previous_valid_until = now + overlap;
        let key = ApiKey::generate(&*self.0.random);
        let stored = key.to_stored();
        let work = move |c: &mut DbConnection| {
            let client = find_for_update(c, id)?;
            api_clients::rotate(c, &client, &stored, previous_valid_until, now)?;
            let event = NewAuditEvent::on_api_client(AuditAction::ApiClientRotated, id)
                .with("overlap_seconds", overlap.as_secs())
                .with("key_prefix", &stored.prefix);
            audit::append(c, &origin, &event, now)?;
            Ok(client.user_id)
        };
        self.0.write_token_status_of(work, |account| Some(*account)).await?;
        Ok(RotatedKey { key, previous_valid_until })
    }

    /// Deletes an API client and revokes its keys.
    ///
    /// # Errors
    /// `NotFound(ApiClient)`, `Conflict(PreconditionFailed)`.
    pub async fn delete(&self, id: ApiClientId, precondition: Precondition, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.0.clock.now();
        let work = move |c: &mut DbConnection| {
            let client = find_for_update(c, id)?.at(now);
            precondition.check(&settings(&client))?;
            api_clients::delete(c, id)?;
            audit::append(c, &origin, &NewAuditEvent::on_api_client(AuditAction::ApiClientDeleted, id), now)?;
            Ok(client.user_id)
        };
        self.0.write_token_status_of(work, |account| Some(*account)).await.map(drop)
    }
}

fn versioned(client: ApiClient) -> Versioned<ApiClient> {
    Versioned::with(client, |client| {
        let use_of_keys = (client.last_used_at, client.previous_valid_until);
        Ok(ETag::of(&settings(client))?.with_nested(&ETag::of(&use_of_keys)?))
    })
}

/// Returns the API client without the fields that change when a key is used or expires. A change does not depend on them.
fn settings(client: &ApiClient) -> ApiClient {
    ApiClient { last_used_at: None, previous_valid_until: None, ..client.clone() }
}

fn find_for_update(c: &mut DbConnection, id: ApiClientId) -> Result<ApiClient, Error> {
    api_clients::find_for_update(c, id)?.ok_or(Error::NotFound(Resource::ApiClient))
}

fn parse_contact(text: &str) -> Result<String, Error> {
    let invalid = |_| Error::invalid("contact_email", "INVALID_FORMAT", "must be an email address");
    Ok(Email::parse(text).map_err(invalid)?.address().to_owned())
}

fn unknown_user() -> Error {
    Error::invalid("user_id", "UNKNOWN_USER", "must be the ID of an account")
}

fn disabled_user() -> Error {
    Error::invalid("user_id", "DISABLED_USER", "must be the ID of an account that is not disabled")
}

fn past_expiry() -> Error {
    Error::invalid("expires_at", "TOO_SMALL", "must be in the future")
}

/// Returns the audit event of a change, with the names of the changed fields and without the contact's address.
fn update_event(before: &ApiClient, after: &ApiClient) -> NewAuditEvent {
    let changed = [
        ("name", before.name != after.name),
        ("contact_email", before.contact_email != after.contact_email),
        ("scopes", before.scopes != after.scopes),
        ("rate_limit", before.rate_limit != after.rate_limit),
        ("expires_at", before.expires_at != after.expires_at),
        ("deprecation_notices_enabled", before.deprecation_notices_enabled != after.deprecation_notices_enabled),
    ];
    let fields: Vec<&str> = changed.iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| *name).collect();
    let mut event =
        NewAuditEvent::on_api_client(AuditAction::ApiClientUpdated, after.id).with("fields", fields.join(" "));
    if before.scopes != after.scopes {
        event = event.with("scopes", after.scopes);
    }
    if before.deprecation_notices_enabled != after.deprecation_notices_enabled {
        event = event.with("deprecation_notices_enabled", after.deprecation_notices_enabled);
    }
    event
}
