//! `bucketlist user`: creates the first administrator, and manages users without the API.

use std::io::{BufRead, Write};

use clap::{Args, Subcommand};
use diesel::{Connection, QueryResult};
use secrecy::SecretString;

use super::{
    CliError,
    migrate::{connect, migrate_up},
};
use crate::{
    app::AppError,
    auth::{Hasher, RefreshTokens, digest},
    config::Config,
    db::{
        DbConnection, DbError, UniqueConstraint,
        repositories::{audit, sessions, users},
    },
    domain::{
        AuditAction, AuditOrigin, Clock, Email, NewAuditEvent, NewUser, PasswordPolicy, Role, SystemClock,
        SystemRandom, Timestamp, UserChanges, UserName,
    },
};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Create a user.
    ///
    /// Prints a token for setting the password, unless --password-stdin is given.
    Create(Create),
    /// Make a user an administrator.
    Promote {
        /// Email address.
        email: String,
    },
}

#[derive(Clone, Debug, Args)]
pub(super) struct Create {
    /// Email address.
    email: String,
    /// Display name. Default: the part of the email address before the @.
    #[arg(long)]
    name: Option<String>,
    /// Create an administrator.
    #[arg(long)]
    admin: bool,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
}

pub(super) fn run(
    config: &Config,
    action: &Action,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    match action {
        Action::Create(arguments) => create(config, arguments, input, out),
        Action::Promote { email } => promote(config, email, out),
    }
}

fn create(config: &Config, arguments: &Create, input: &mut dyn BufRead, out: &mut dyn Write) -> Result<(), CliError> {
    let email = parse_email(&arguments.email)?;
    let name = match &arguments.name {
        Some(name) => UserName::parse(name).map_err(|error| CliError::Message(format!("invalid name: {error}")))?,
        None => UserName::parse(&email.local_part().chars().take(100).collect::<String>())
            .map_err(|error| CliError::with_help(format!("invalid name: {error}"), "set --name"))?,
    };
    // Without a given password, a reset token is printed, which expires soon and can be used once. A generated password
    // would remain valid.
    let token = (!arguments.password_stdin).then(|| RefreshTokens::generate(&SystemRandom));
    let password = match token {
        // A random password that is never displayed.
        Some(_) => RefreshTokens::generate(&SystemRandom).into(),
        None => read_password(config, &email, input)?,
    };
    let mut migrator = connect(config)?;
    migrate_up(config, &mut migrator)?;
    let hasher = Hasher::new(config.passwords).map_err(AppError::Hashing)?;
    let password_hash = hasher
        .hash_blocking(&password, &SystemRandom)
        .ok_or_else(|| CliError::with_help("cannot hash the password", "check PASSWORD_HASH_MEMORY_KIB"))?;
    let now = SystemClock.now();
    let user = NewUser {
        email: &email,
        name: name.as_str(),
        password_hash: &password_hash,
        role: if arguments.admin { Role::Admin } else { Role::User },
        disabled: false,
        created_at: now,
        updated_at: now,
    };
    let insert = |c: &mut DbConnection| -> QueryResult<_> {
        let user = users::insert(c, &user)?;
        let event = NewAuditEvent::on_user(AuditAction::UserCreated, user.id).with("role", user.role);
        if let Some(token) = &token {
            sessions::insert_password_reset(c, &digest(token), user.id, now + config.passwords.reset_ttl)?;
        }
        record(c, event, now)?;
        Ok(user)
    };
    let user = migrator.connection().transaction(insert).map_err(|error| match DbError::from(error) {
        DbError::UniqueViolation(UniqueConstraint::UserEmail) => {
            CliError::Message(format!("user {} already exists", email.address()))
        }
        error => CliError::Message(error.to_string()),
    })?;
    writeln!(out, "Created {} {} with ID {}.", user.role, user.email, user.id)?;
    if let Some(token) = token {
        write!(
            out,
            "Set the password within {} minutes, with the server running:\n\n\
             curl '{}/v2/auth/password-reset/confirm' \\\n  \
             --json '{{\"token\": \"{token}\", \"new_password\": \"…\"}}'\n",
            config.passwords.reset_ttl.as_secs().div_ceil(60),
            config.public_url,
        )?;
    }
    Ok(())
}

fn promote(config: &Config, email: &str, out: &mut dyn Write) -> Result<(), CliError> {
    let email = parse_email(email)?;
    let mut migrator = connect(config)?;
    migrate_up(config, &mut migrator)?;
    let (c, now) = (migrator.connection(), SystemClock.now());
    let unknown = || CliError::Message(format!("user {} does not exist", email.address()));
    let user = users::find_by_email(c, email.key())?.ok_or_else(unknown)?;
    c.transaction(|c| {
        users::update(c, user.id, UserChanges { role: Some(Role::Admin), ..UserChanges::default() }, now)?;
        if user.is_admin() {
            return Ok(());
        }
        let event = NewAuditEvent::on_user(AuditAction::UserRoleChanged, user.id);
        record(c, event.with("from", user.role).with("to", Role::Admin), now)
    })?;
    writeln!(out, "{} is now an administrator.", user.email)?;
    Ok(())
}

fn parse_email(text: &str) -> Result<Email, CliError> {
    Email::parse(text).map_err(|_| CliError::Message(format!("`{text}` is not an email address")))
}

fn record(c: &mut DbConnection, event: NewAuditEvent, now: Timestamp) -> QueryResult<()> {
    audit::append(c, &AuditOrigin::default(), &event.with("by", "command line"), now)
}

/// Reads a password from the first line of `input` and checks it against the policy.
fn read_password(config: &Config, email: &Email, input: &mut dyn BufRead) -> Result<SecretString, CliError> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    let policy = PasswordPolicy { min_length: config.passwords.min_length };
    let problems: Vec<String> = policy.problems(password, email.key()).iter().map(ToString::to_string).collect();
    if problems.is_empty() {
        Ok(password.to_owned().into())
    } else {
        Err(CliError::Message(format!("the password {}", problems.join(" and "))))
    }
}
