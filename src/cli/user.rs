//! `bucketlist user`: for the first administrator, and for operators.

use std::io::{BufRead, Write};

use clap::Subcommand;
use diesel::{Connection, QueryResult};
use secrecy::SecretString;

use super::{CliError, migrate::connect};
use crate::{
    app::AppError,
    auth::{Hasher, RefreshTokens, digest},
    config::Config,
    db::{
        DbConnection, DbError,
        repositories::{
            audit, sessions,
            users::{self, NewUser, UserChanges},
        },
    },
    domain::{
        AuditAction, AuditEvent, AuditOrigin, Clock, Email, PasswordPolicy, SystemClock, SystemRandom, search_text,
    },
};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Make an account; prints a token to set its password with, unless --password-stdin gives one.
    Create {
        /// The email address.
        email: String,
        /// What to call the user; left out, the part of the address before the @.
        #[arg(long)]
        name: Option<String>,
        /// Make an administrator.
        #[arg(long)]
        admin: bool,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Make an account an administrator.
    Promote {
        /// The email address.
        email: String,
    },
}

pub(super) fn run(
    config: &Config,
    action: &Action,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let message = |text: String| CliError::Message(text);
    let (Action::Create { email, .. } | Action::Promote { email }) = action;
    let email = Email::parse(email).map_err(|error| message(format!("`{email}` {error}")))?;
    let mut migrator = connect(config)?;
    migrator.up()?;
    let c = migrator.connection();
    let now = SystemClock.now();
    match action {
        Action::Create { name, admin, password_stdin, .. } => {
            // Nobody is told a password that was made for them and would go on being good: a token of the kind that is mailed
            // for a reset is good once and not for long.
            let token = (!*password_stdin).then(|| RefreshTokens::generate(&SystemRandom));
            // Until then the password is one that nobody knows.
            let password = match token {
                Some(_) => RefreshTokens::generate(&SystemRandom).into(),
                None => allowed_password(config, &email, input)?,
            };
            let hasher = Hasher::new(config.passwords).map_err(AppError::Hashing)?;
            let password_hash = hasher
                .hash_now(&password, &SystemRandom)
                .ok_or_else(|| message("the password cannot be hashed; check PASSWORD_HASH_MEMORY_KIB".into()))?;
            let name = name.as_deref().unwrap_or(email.local_part());
            let user = NewUser {
                email: email.address(),
                email_key: email.key(),
                name,
                search_text: search_text(email.address(), Some(name)),
                password_hash: &password_hash,
                role: if *admin { users::ADMIN } else { users::USER },
                disabled: false,
                created_at: now,
                updated_at: now,
            };
            let insert = |c: &mut DbConnection| -> QueryResult<_> {
                let user = users::insert(c, &user)?;
                let event = AuditEvent::of_user(AuditAction::UserCreated, user.id).with("role", &user.role);
                if let Some(token) = &token {
                    let micros = i64::try_from(config.passwords.reset_ttl.as_micros()).unwrap_or(i64::MAX / 4);
                    sessions::insert_password_reset(c, &digest(token), user.id, now + micros)?;
                }
                record(c, event, now)?;
                Ok(user)
            };
            let user = c.transaction(insert).map_err(|error| match DbError::from(error) {
                DbError::UniqueViolation(_) => message(format!("there is an account for {} already", email.address())),
                error => message(error.to_string()),
            })?;
            writeln!(out, "Made the {} {} with id {}.", user.role, user.email, user.id)?;
            if let Some(token) = token {
                write!(
                    out,
                    "To set the password, within {} minutes and once, with the server running:\n\n\
                     curl '{}/v1/auth/password-reset/confirm' \\\n  \
                     --json '{{\"token\": \"{token}\", \"new_password\": \"…\"}}'\n",
                    config.passwords.reset_ttl.as_secs().div_ceil(60),
                    config.public_url,
                )?;
            }
        }
        Action::Promote { .. } => {
            let unknown = || message(format!("there is no account for {}", email.address()));
            let user = users::find_by_email(c, email.key())?.ok_or_else(unknown)?;
            let changes =
                UserChanges { role: Some(users::ADMIN.to_owned()), updated_at: Some(now), ..UserChanges::default() };
            c.transaction(|c| {
                users::update(c, user.id, &changes)?;
                if user.is_admin() {
                    return Ok(());
                }
                let event = AuditEvent::of_user(AuditAction::UserRoleChanged, user.id);
                record(c, event.with("from", &user.role).with("to", users::ADMIN), now)
            })?;
            writeln!(out, "{} is an administrator now.", user.email)?;
        }
    }
    Ok(())
}

fn record(c: &mut DbConnection, event: AuditEvent, now: i64) -> QueryResult<()> {
    audit::append(c, &AuditOrigin::default(), &event.with("by", "command line"), now)
}

/// The first line of the input, if it may be the password of this account.
fn allowed_password(config: &Config, email: &Email, input: &mut dyn BufRead) -> Result<SecretString, CliError> {
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
