//! `bucketlist api-client`: manages API clients without the API.

use std::{io::Write, time::Duration};

use chrono::DateTime;
use clap::{Args, Subcommand, ValueEnum};
use diesel::Connection;
use serde_json::json;

use super::{
    CliError, OutputFormat, api_time,
    migrate::{connect, connect_for_reading, migrate_up},
};
use crate::{
    auth::ApiKey,
    config::Config,
    db::{
        DbConnection, DbError,
        repositories::{api_clients, audit, users},
    },
    domain::{
        ApiClient, ApiClientId, ApiScope, AuditAction, AuditOrigin, Clock, Email, Keyset, NewApiClient, NewAuditEvent,
        SystemClock, SystemRandom, Timestamp, UserName,
    },
};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Create an API client and print its key, which cannot be displayed again.
    Create(Create),
    /// List API clients.
    List {
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Rotate the key of an API client and print the new one.
    Rotate {
        /// ID of the API client.
        id: i64,
        /// Seconds for which previous keys remain valid; 0 revokes them.
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(..=2_592_000))]
        overlap: u32,
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Delete an API client and revoke its keys.
    Revoke {
        /// ID of the API client.
        id: i64,
    },
}

#[derive(Clone, Debug, Args)]
pub(super) struct Create {
    /// Name.
    name: String,
    /// Email address of the account that the API client acts for.
    #[arg(long, value_name = "EMAIL")]
    user: String,
    /// Email address for notices. Default: that of the account.
    #[arg(long, value_name = "EMAIL")]
    contact: Option<String>,
    /// Scopes of the key, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', required = true)]
    scope: Vec<ScopeArgument>,
    /// Requests per minute. Default: the general rate limit.
    #[arg(long, value_name = "REQUESTS", value_parser = clap::value_parser!(i32).range(1..=1_000_000))]
    rate_limit: Option<i32>,
    /// Time at which the key expires, such as 2027-01-31T00:00:00Z. Default: the key does not expire.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    expires_at: Option<Timestamp>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
}

/// A scope on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ScopeArgument {
    /// GET requests.
    Read,
    /// Requests with other methods.
    Write,
    /// The operations of administrators.
    Admin,
}

impl From<ScopeArgument> for ApiScope {
    fn from(scope: ScopeArgument) -> Self {
        match scope {
            ScopeArgument::Read => Self::Read,
            ScopeArgument::Write => Self::Write,
            ScopeArgument::Admin => Self::Admin,
        }
    }
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    let time = contract::values::Timestamp::parse(text)
        .map_err(|_| "must be a time such as 2027-01-31T00:00:00Z, in the years 1 to 9999")?;
    Ok(Timestamp::from_micros(time.micros()))
}

pub(super) fn run(config: &Config, action: &Action, out: &mut dyn Write) -> Result<(), CliError> {
    if let Action::List { format } = action {
        return list(connect_for_reading(config)?.connection(), *format, out);
    }
    let mut migrator = connect(config)?;
    migrate_up(config, &mut migrator)?;
    let c = migrator.connection();
    match action {
        Action::Create(arguments) => create(c, arguments, out),
        Action::List { format } => list(c, *format, out),
        Action::Rotate { id, overlap, format } => rotate(c, ApiClientId::new(*id), *overlap, *format, out),
        Action::Revoke { id } => revoke(c, ApiClientId::new(*id), out),
    }
}

fn create(c: &mut DbConnection, arguments: &Create, out: &mut dyn Write) -> Result<(), CliError> {
    let email = parse_email(&arguments.user)?;
    let contact = arguments.contact.as_deref().map(parse_email).transpose()?;
    // The API has the same rules for the names of accounts and of API clients.
    let name = UserName::parse(&arguments.name).map_err(|error| CliError::Message(format!("invalid name: {error}")))?;
    let unknown = || CliError::Message(format!("user {} does not exist", email.address()));
    let user = users::find_by_email(c, email.key()).map_err(query_error)?.ok_or_else(unknown)?;
    if user.disabled {
        return Err(CliError::Message(format!("user {} is disabled", user.email)));
    }
    let (key, now) = (ApiKey::generate(&SystemRandom), SystemClock.now());
    if arguments.expires_at.is_some_and(|at| at <= now) {
        return Err(CliError::Message("--expires-at must be in the future".to_owned()));
    }
    let new = NewApiClient {
        name: name.as_str().to_owned(),
        contact_email: contact.as_ref().map_or(&*user.email, Email::address).to_owned(),
        user_id: user.id,
        scopes: arguments.scope.iter().map(|scope| ApiScope::from(*scope)).collect(),
        rate_limit: arguments.rate_limit,
        expires_at: arguments.expires_at,
        created_at: now,
    };
    let insert = |c: &mut DbConnection| {
        let client = api_clients::insert(c, &new, &key.to_stored())?;
        let event = NewAuditEvent::on_api_client(AuditAction::ApiClientCreated, client.id)
            .with("name", &client.name)
            .with("user_id", user.id)
            .with("scopes", client.scopes);
        record(c, event, now)?;
        Ok(client)
    };
    let client = c.transaction(insert).map_err(query_error)?;
    if arguments.format == OutputFormat::Json {
        let mut created = row(&client);
        created["key"] = key.expose().into();
        writeln!(out, "{created}")?;
        return Ok(());
    }
    writeln!(out, "Created API client {} with ID {}, acting for {}.", client.name, client.id, user.email)?;
    print_key(&key, out)
}

fn list(c: &mut DbConnection, format: OutputFormat, out: &mut dyn Write) -> Result<(), CliError> {
    let clients = api_clients::list_after(c, None, &Keyset::oldest_first(None, i64::MAX)).map_err(query_error)?;
    let clients: Vec<ApiClient> = clients.into_iter().map(|client| client.at(SystemClock.now())).collect();
    match format {
        OutputFormat::Json => {
            let rows: Vec<_> = clients.iter().map(row).collect();
            writeln!(out, "{}", json!(rows))?;
        }
        OutputFormat::Text if clients.is_empty() => writeln!(out, "No API clients.")?,
        OutputFormat::Text => {
            writeln!(
                out,
                "{:>5}  {:<24}  {:<16}  {:<12}  {:<20}  LAST USED",
                "ID", "NAME", "SCOPES", "KEY", "EXPIRES"
            )?;
            for client in &clients {
                writeln!(
                    out,
                    "{:>5}  {:<24}  {:<16}  {:<12}  {:<20}  {}",
                    client.id.get(),
                    client.name,
                    client.scopes.to_string(),
                    format!("blk_{}", client.key_prefix),
                    time_or(client.expires_at, "never"),
                    time_or(client.last_used_at, "never"),
                )?;
            }
        }
    }
    Ok(())
}

fn row(client: &ApiClient) -> serde_json::Value {
    let time = |time: Option<Timestamp>| time.map(api_time);
    json!({
        "id": client.id,
        "name": client.name,
        "contact_email": client.contact_email,
        "user_id": client.user_id,
        "scopes": client.scopes.iter().map(ApiScope::as_str).collect::<Vec<_>>(),
        "rate_limit": client.rate_limit,
        "key_prefix": client.key_prefix,
        "expires_at": time(client.expires_at),
        "last_used_at": time(client.last_used_at),
        "previous_valid_until": time(client.previous_valid_until),
        "deprecation_notices_enabled": client.deprecation_notices_enabled,
        "created_at": api_time(client.created_at),
        "updated_at": api_time(client.updated_at),
    })
}

/// Formats a time with seconds, or returns `none`.
fn time_or(time: Option<Timestamp>, none: &str) -> String {
    time.and_then(|time| DateTime::from_timestamp_micros(time.micros()))
        .map_or_else(|| none.to_owned(), |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn rotate(
    c: &mut DbConnection,
    id: ApiClientId,
    overlap: u32,
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let (key, now) = (ApiKey::generate(&SystemRandom), SystemClock.now());
    let until = now + Duration::from_secs(overlap.into());
    let work = |c: &mut DbConnection| {
        let Some(client) = api_clients::find_for_update(c, id)? else { return Ok(false) };
        api_clients::rotate(c, &client, &key.to_stored(), until, now)?;
        let event = NewAuditEvent::on_api_client(AuditAction::ApiClientRotated, id)
            .with("overlap_seconds", overlap)
            .with("key_prefix", key.prefix());
        record(c, event, now)?;
        Ok(true)
    };
    require_found(c.transaction(work).map_err(query_error)?, id)?;
    if format == OutputFormat::Json {
        let rotated = json!({"key": key.expose(), "key_prefix": key.prefix(), "previous_valid_until": api_time(until)});
        writeln!(out, "{rotated}")?;
        return Ok(());
    }
    writeln!(out, "Previous keys are valid until {}.", time_or(Some(until), ""))?;
    print_key(&key, out)
}

fn revoke(c: &mut DbConnection, id: ApiClientId, out: &mut dyn Write) -> Result<(), CliError> {
    let now = SystemClock.now();
    let work = |c: &mut DbConnection| {
        let is_deleted = api_clients::delete(c, id)?;
        if is_deleted {
            record(c, NewAuditEvent::on_api_client(AuditAction::ApiClientDeleted, id), now)?;
        }
        Ok(is_deleted)
    };
    require_found(c.transaction(work).map_err(query_error)?, id)?;
    writeln!(out, "Deleted API client {id} and revoked its keys.")?;
    Ok(())
}

fn print_key(key: &ApiKey, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "Key, which cannot be displayed again: {}", key.expose())?;
    Ok(())
}

fn require_found(is_found: bool, id: ApiClientId) -> Result<(), CliError> {
    let unknown = || CliError::with_help(format!("API client {id} does not exist"), "run `bucketlist api-client list`");
    if is_found { Ok(()) } else { Err(unknown()) }
}

fn parse_email(text: &str) -> Result<Email, CliError> {
    Email::parse(text).map_err(|_| CliError::Message(format!("`{text}` is not an email address")))
}

fn query_error(error: diesel::result::Error) -> CliError {
    CliError::Message(DbError::from(error).to_string())
}

fn record(c: &mut DbConnection, event: NewAuditEvent, now: Timestamp) -> diesel::QueryResult<()> {
    audit::append(c, &AuditOrigin::default(), &event.with("by", "command line"), now)
}
