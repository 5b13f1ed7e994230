//! Accounts.

use diesel::{
    dsl::{count_star, sql},
    sql_types::Bool,
};

use super::prelude::*;
use super::{
    columns,
    keyset::KeysetSql,
    search_text::{like_pattern, search_text},
    statement::Statement,
};
use crate::{
    db::{DbConnection, MultiBackend, schema::users},
    domain::{
        Email, Keyset, NewUser, OffsetPage, OffsetRange, Role, TextFilter, Timestamp, User, UserChanges, UserFilter,
        UserId,
    },
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct UserRow {
    id: i64,
    email: String,
    email_key: String,
    name: String,
    password_hash: String,
    #[diesel(deserialize_as = String)]
    role: Role,
    disabled: bool,
    deprecation_notices_enabled: bool,
    created_at: i64,
    updated_at: i64,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: UserId::new(row.id),
            email: row.email,
            email_key: row.email_key,
            name: row.name,
            password_hash: row.password_hash,
            role: row.role,
            disabled: row.disabled,
            deprecation_notices_enabled: row.deprecation_notices_enabled,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = users)]
struct NewUserRow<'a> {
    email: &'a str,
    email_key: &'a str,
    name: &'a str,
    search_text: String,
    password_hash: &'a str,
    role: &'static str,
    disabled: bool,
    created_at: i64,
    updated_at: i64,
}

#[derive(AsChangeset)]
#[diesel(table_name = users)]
struct ProfileRow<'a> {
    email: Option<&'a str>,
    email_key: Option<&'a str>,
    name: Option<&'a str>,
    search_text: String,
    updated_at: i64,
}

#[derive(AsChangeset)]
#[diesel(table_name = users)]
struct ChangesRow {
    role: Option<&'static str>,
    disabled: Option<bool>,
    deprecation_notices_enabled: Option<bool>,
    updated_at: i64,
}

/// Inserts an account.
pub fn insert(c: &mut DbConnection, user: &NewUser<'_>) -> QueryResult<User> {
    let new = NewUserRow {
        email: user.email.address(),
        email_key: user.email.key(),
        name: user.name,
        search_text: search_text(user.email.address(), Some(user.name)),
        password_hash: user.password_hash,
        role: user.role.as_str(),
        disabled: user.disabled,
        created_at: user.created_at.micros(),
        updated_at: user.updated_at.micros(),
    };
    let row: UserRow = diesel::insert_into(users::table).values(&new).returning(columns::<UserRow>()).get_result(c)?;
    Ok(row.into())
}

/// Finds an account.
pub fn find(c: &mut DbConnection, id: UserId) -> QueryResult<Option<User>> {
    let row: Option<UserRow> = users::table.find(id.get()).select(UserRow::as_select()).first(c).optional()?;
    Ok(row.map(User::from))
}

/// Finds an account by the form in which its email address is compared.
pub fn find_by_email(c: &mut DbConnection, email_key: &str) -> QueryResult<Option<User>> {
    let row: Option<UserRow> =
        users::table.filter(users::email_key.eq(email_key)).select(UserRow::as_select()).first(c).optional()?;
    Ok(row.map(User::from))
}

/// Returns the accounts whose email address is not ASCII in lower case, with their addresses.
pub fn list_unicode_emails(c: &mut DbConnection) -> QueryResult<Vec<(UserId, String)>> {
    let is_unicode = sql::<Bool>(match c {
        DbConnection::Sqlite(_) => "length(CAST(email_key AS BLOB)) > length(email_key)",
        DbConnection::Postgres(_) => "octet_length(email_key) > char_length(email_key)",
    });
    let rows: Vec<(i64, String)> =
        users::table.filter(is_unicode).order(users::id).select((users::id, users::email)).load(c)?;
    Ok(rows.into_iter().map(|(id, email)| (UserId::new(id), email)).collect())
}

/// Finds the ID of an account by the form in which its email address is compared.
pub fn find_id_by_email(c: &mut DbConnection, email_key: &str) -> QueryResult<Option<UserId>> {
    let id: Option<i64> = users::table.filter(users::email_key.eq(email_key)).select(users::id).first(c).optional()?;
    Ok(id.map(UserId::new))
}

/// Changes the form in which the email address of an account is compared.
pub fn update_email_key(c: &mut DbConnection, id: UserId, email: &Email) -> QueryResult<usize> {
    diesel::update(users::table.find(id.get())).set(users::email_key.eq(email.key())).execute(c)
}

/// Like [`find`], but locks the row until the transaction ends.
pub fn find_for_update(c: &mut DbConnection, id: UserId) -> QueryResult<Option<User>> {
    let user = users::table.find(id.get());
    let row: Option<UserRow> = match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => user.select(UserRow::as_select()).first(c).optional()?,
        DbConnection::Postgres(c) => user.select(UserRow::as_select()).for_update().first(c).optional()?,
    };
    Ok(row.map(User::from))
}

/// Changes the email address and the name of the account `before`; `None` leaves a value unchanged.
pub fn update_profile(
    c: &mut DbConnection,
    before: &User,
    email: Option<&Email>,
    name: Option<&str>,
    updated_at: Timestamp,
) -> QueryResult<Option<User>> {
    let changes = ProfileRow {
        email: email.map(Email::address),
        email_key: email.map(Email::key),
        name,
        search_text: search_text(email.map_or(&before.email, Email::address), Some(name.unwrap_or(&before.name))),
        updated_at: updated_at.micros(),
    };
    let row: Option<UserRow> = diesel::update(users::table.find(before.id.get()))
        .set(changes)
        .returning(columns::<UserRow>())
        .get_result(c)
        .optional()?;
    Ok(row.map(User::from))
}

/// Writes the changes of an administrator to an account.
pub fn update(
    c: &mut DbConnection,
    id: UserId,
    changes: UserChanges,
    updated_at: Timestamp,
) -> QueryResult<Option<User>> {
    let changes = ChangesRow {
        role: changes.role.map(Role::as_str),
        disabled: changes.disabled,
        deprecation_notices_enabled: changes.deprecation_notices_enabled,
        updated_at: updated_at.micros(),
    };
    let row: Option<UserRow> = diesel::update(users::table.find(id.get()))
        .set(changes)
        .returning(columns::<UserRow>())
        .get_result(c)
        .optional()?;
    Ok(row.map(User::from))
}

/// Sets a new password.
pub fn update_password(
    c: &mut DbConnection,
    id: UserId,
    password_hash: &str,
    updated_at: Timestamp,
) -> QueryResult<()> {
    diesel::update(users::table.find(id.get()))
        .set((users::password_hash.eq(password_hash), users::updated_at.eq(updated_at.micros())))
        .execute(c)
        .map(drop)
}

/// Replaces the hash of an unchanged password, which does not count as an update of the account.
pub fn rehash_password(c: &mut DbConnection, id: UserId, password_hash: &str) -> QueryResult<()> {
    diesel::update(users::table.find(id.get())).set(users::password_hash.eq(password_hash)).execute(c).map(drop)
}

/// Increments the revision of an account's resources, and locks the account until the transaction ends. Only on PostgreSQL: the
/// single server of an SQLite database counts in memory.
pub fn increment_revision(c: &mut DbConnection, id: UserId) -> QueryResult<()> {
    if let DbConnection::Postgres(_) = c {
        let mut statement = Statement::cached();
        statement.sql("UPDATE users SET revision = revision + 1 WHERE id = ").integer(id.get());
        statement.execute(c)?;
    }
    Ok(())
}

/// Returns the revision of an account's resources; `None` if the account does not exist.
pub fn find_revision(c: &mut DbConnection, id: UserId) -> QueryResult<Option<i64>> {
    users::table.find(id.get()).select(users::revision).first(c).optional()
}

#[derive(QueryableByName)]
struct RevisionRow {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    revision: i64,
}

/// Returns whether the server is a replica of PostgreSQL that has replayed this revision of an account, and thereby every change up to
/// it.
pub fn has_replayed(c: &mut DbConnection, id: UserId, revision: i64) -> QueryResult<bool> {
    let mut statement = Statement::cached();
    statement.sql("SELECT revision FROM users WHERE id = ").integer(id.get()).sql(" AND pg_is_in_recovery()");
    let rows: Vec<RevisionRow> = statement.load(c)?;
    Ok(rows.iter().any(|row| row.revision >= revision))
}

/// Deletes an account with all its resources; `false` if there is none.
pub fn delete(c: &mut DbConnection, id: UserId) -> QueryResult<bool> {
    diesel::delete(users::table.find(id.get())).execute(c).map(|rows| rows > 0)
}

/// Locks the active administrators until the transaction ends, so that two of them cannot demote each other at the same time.
pub fn lock_active_admins(c: &mut DbConnection) -> QueryResult<Vec<UserId>> {
    let admins = users::table
        .filter(users::role.eq(Role::Admin.as_str()))
        .filter(users::disabled.eq(false))
        .order(users::id)
        .select(users::id);
    let ids: Vec<i64> = match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => admins.load(c)?,
        DbConnection::Postgres(c) => admins.for_update().load(c)?,
    };
    Ok(ids.into_iter().map(UserId::new).collect())
}

/// Lists a range of all accounts, the oldest first.
pub fn list_by_offset(
    c: &mut DbConnection,
    q: Option<&TextFilter>,
    range: OffsetRange,
) -> QueryResult<OffsetPage<User>> {
    let pattern = q.map(like_pattern);
    let page = users::table.order(users::id).offset(range.offset).limit(range.limit);
    let rows: Vec<UserRow> = match &pattern {
        Some(pattern) => {
            page.filter(users::search_text.like(pattern).escape('\\')).select(UserRow::as_select()).load(c)?
        }
        None => page.select(UserRow::as_select()).load(c)?,
    };
    let all = users::table.select(count_star());
    let total = match (range.total_from_page(rows.len()), &pattern) {
        (Some(total), _) => total,
        (None, Some(pattern)) => all.filter(users::search_text.like(pattern).escape('\\')).first(c)?,
        (None, None) => all.first(c)?,
    };
    Ok(OffsetPage { data: rows.into_iter().map(User::from).collect(), total })
}

/// Selects the accounts that match a filter, using `created_after` instead of the value in the filter.
fn matching(filter: &UserFilter, created_after: Option<Timestamp>) -> users::BoxedQuery<'static, MultiBackend> {
    let mut query = users::table.into_boxed();
    if let Some(q) = &filter.q {
        query = query.filter(users::search_text.like(like_pattern(q)).escape('\\'));
    }
    if let Some(time) = created_after {
        query = query.filter(users::created_at.gt(time.micros()));
    }
    if let Some(role) = filter.role {
        query = query.filter(users::role.eq(role.as_str()));
    }
    if let Some(disabled) = filter.disabled {
        query = query.filter(users::disabled.eq(disabled));
    }
    query
}

/// Lists the accounts after a position.
pub fn list_after(c: &mut DbConnection, filter: &UserFilter, keyset: &Keyset) -> QueryResult<Vec<User>> {
    let created_after = keyset.needed_lower_bound(filter.created_after);
    let mut page = matching(filter, created_after).order(keyset.order()).limit(keyset.limit);
    if let Some(condition) = keyset.after_position(c) {
        page = page.filter(condition);
    }
    let rows: Vec<UserRow> = page.select(UserRow::as_select()).load(c)?;
    Ok(rows.into_iter().map(User::from).collect())
}

/// Counts the accounts that match a filter.
pub fn count(c: &mut DbConnection, filter: &UserFilter) -> QueryResult<i64> {
    matching(filter, filter.created_after).select(count_star()).first(c)
}

/// Lists the administrators whose accounts are enabled, at most 100.
pub fn list_administrators(c: &mut DbConnection) -> QueryResult<Vec<UserId>> {
    let enabled = users::table.filter(users::role.eq(Role::Admin.as_str())).filter(users::disabled.eq(false));
    let ids: Vec<i64> = enabled.order(users::id).limit(100).select(users::id).load(c)?;
    Ok(ids.into_iter().map(UserId::new).collect())
}
