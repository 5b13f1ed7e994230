//! Converts email addresses that were stored before their domains were compared in Punycode.

use diesel::result::QueryResult;

use super::{DbConnection, repositories::users};
use crate::domain::Email;

/// Converts the keys of all email addresses with a Unicode domain. Idempotent.
///
/// If another account has the same address in Punycode, that account keeps it, and the operator must decide which one to
/// delete. An address that is no longer valid is unchanged.
///
/// # Errors
/// Fails if the database fails; keys that were converted remain so.
pub(super) fn normalize_email_domains(c: &mut DbConnection) -> QueryResult<()> {
    let mut converted = 0;
    for (user_id, address) in users::list_unicode_emails(c)? {
        let Ok(email) = Email::parse(&address) else {
            tracing::warn!(user_id = user_id.get(), "email address has an invalid domain; the account cannot log in");
            continue;
        };
        match users::find_id_by_email(c, email.key())? {
            Some(other) if other != user_id => tracing::warn!(
                user_id = user_id.get(),
                other_user_id = other.get(),
                "two accounts have the same email address; only the other one can log in"
            ),
            _ => converted += users::update_email_key(c, user_id, &email)?,
        }
    }
    if converted > 0 {
        tracing::info!(accounts = converted, "email domains converted to Punycode");
    }
    Ok(())
}
