//! Accounts.

use diesel::{dsl::count_star, prelude::*};

use super::{
    OffsetPage, OffsetRange,
    keyset::{Keyset, KeysetPosition, SortKey, SortValue},
};
use crate::db::{DbConnection, MultiBackend, schema::users};

/// An account as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct UserRow {
    pub id: i64,
    pub email: String,
    pub email_key: String,
    pub name: String,
    pub password_hash: String,
    pub role: String,
    pub disabled: bool,
    pub created_at: i64,
    pub updated_at: i64,
}

/// The columns of [`UserRow`], in its order.
pub(crate) const COLUMNS: Columns = (
    users::id,
    users::email,
    users::email_key,
    users::name,
    users::password_hash,
    users::role,
    users::disabled,
    users::created_at,
    users::updated_at,
);
pub(crate) type Columns = (
    users::id,
    users::email,
    users::email_key,
    users::name,
    users::password_hash,
    users::role,
    users::disabled,
    users::created_at,
    users::updated_at,
);

/// The role that manages the accounts.
pub const ADMIN: &str = "admin";
/// The role of everybody else.
pub const USER: &str = "user";

impl UserRow {
    /// Whether the account is an administrator.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == ADMIN
    }

    /// Where this account is among the others.
    #[must_use]
    pub fn position(&self, sort: SortKey) -> KeysetPosition {
        let key = match sort {
            SortKey::CreatedAt => SortValue::Instant(self.created_at),
            SortKey::UpdatedAt => SortValue::Instant(self.updated_at),
            SortKey::Name => SortValue::Text(self.name.clone()),
        };
        KeysetPosition { key, id: self.id }
    }
}

/// An account to be stored.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = users)]
pub struct NewUser<'a> {
    pub email: &'a str,
    pub email_key: &'a str,
    pub name: &'a str,
    pub search_text: String,
    pub password_hash: &'a str,
    pub role: &'a str,
    pub disabled: bool,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What changes of an account; `None` stays.
#[derive(Clone, Debug, Default, AsChangeset)]
#[diesel(table_name = users)]
pub struct UserChanges {
    pub email: Option<String>,
    pub email_key: Option<String>,
    pub name: Option<String>,
    pub search_text: Option<String>,
    pub password_hash: Option<String>,
    pub role: Option<String>,
    pub disabled: Option<bool>,
    pub updated_at: Option<i64>,
}

pub fn insert(c: &mut DbConnection, user: &NewUser<'_>) -> QueryResult<UserRow> {
    diesel::insert_into(users::table).values(user).returning(COLUMNS).get_result(c)
}

pub fn find(c: &mut DbConnection, id: i64) -> QueryResult<Option<UserRow>> {
    users::table.find(id).select(COLUMNS).first(c).optional()
}

pub fn find_by_email(c: &mut DbConnection, email_key: &str) -> QueryResult<Option<UserRow>> {
    users::table.filter(users::email_key.eq(email_key)).select(COLUMNS).first(c).optional()
}

pub fn update(c: &mut DbConnection, id: i64, changes: &UserChanges) -> QueryResult<Option<UserRow>> {
    diesel::update(users::table.find(id)).set(changes).returning(COLUMNS).get_result(c).optional()
}

/// As [`find`], and locked until the transaction ends: what is decided from it stays true.
pub fn find_for_update(c: &mut DbConnection, id: i64) -> QueryResult<Option<UserRow>> {
    let user = users::table.find(id).select(COLUMNS);
    match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => user.first(c).optional(),
        DbConnection::Postgres(c) => user.for_update().first(c).optional(),
    }
}

/// Counts a change of what the account owns, and locks the account until the transaction ends. The embedded database has
/// one server, which counts in memory.
pub fn count_change(c: &mut DbConnection, id: i64) -> QueryResult<()> {
    if let DbConnection::Postgres(c) = c {
        diesel::update(users::table.find(id)).set(users::revision.eq(users::revision + 1)).execute(c)?;
    }
    Ok(())
}

pub fn delete(c: &mut DbConnection, id: i64) -> QueryResult<bool> {
    diesel::delete(users::table.find(id)).execute(c).map(|rows| rows > 0)
}

/// Locks the active administrators until the transaction ends, so that two of them cannot demote each other at once.
pub fn lock_active_admins(c: &mut DbConnection) -> QueryResult<Vec<i64>> {
    let admins =
        users::table.filter(users::role.eq(ADMIN)).filter(users::disabled.eq(false)).order(users::id).select(users::id);
    match c {
        // SQLite has one writer: its transaction is the lock.
        DbConnection::Sqlite(c) => admins.load(c),
        DbConnection::Postgres(c) => admins.for_update().load(c),
    }
}

/// A slice of all accounts, the oldest first; `pattern` is a LIKE pattern in lower case.
pub fn list_by_offset(
    c: &mut DbConnection,
    pattern: Option<&str>,
    slice: OffsetRange,
) -> QueryResult<OffsetPage<UserRow>> {
    let window = users::table.order(users::id).offset(slice.offset).limit(slice.limit).select(COLUMNS);
    let rows: Vec<UserRow> = match pattern {
        Some(pattern) => window.filter(users::search_text.like(pattern).escape('\\')).load(c)?,
        None => window.load(c)?,
    };
    let all = users::table.select(count_star());
    let total = match (slice.total_seen(rows.len()), pattern) {
        (Some(total), _) => total,
        (None, Some(pattern)) => all.filter(users::search_text.like(pattern).escape('\\')).first(c)?,
        (None, None) => all.first(c)?,
    };
    Ok(OffsetPage { rows, total })
}

/// Which accounts; `None` is all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// A LIKE pattern in lower case.
    pub pattern: Option<String>,
    /// Made later than this.
    pub created_after: Option<i64>,
    /// [`ADMIN`] or [`USER`].
    pub role: Option<String>,
    pub disabled: Option<bool>,
}

/// What a filter lets through, `created_after` being in place of its own.
fn matching(filter: &Filter, created_after: Option<i64>) -> users::BoxedQuery<'_, MultiBackend> {
    let mut found = users::table.into_boxed();
    if let Some(pattern) = &filter.pattern {
        found = found.filter(users::search_text.like(pattern).escape('\\'));
    }
    if let Some(instant) = created_after {
        found = found.filter(users::created_at.gt(instant));
    }
    if let Some(role) = &filter.role {
        found = found.filter(users::role.eq(role));
    }
    if let Some(disabled) = filter.disabled {
        found = found.filter(users::disabled.eq(disabled));
    }
    found
}

/// The accounts that come after a row.
pub fn list_after(c: &mut DbConnection, filter: &Filter, keyset: &Keyset) -> QueryResult<Vec<UserRow>> {
    let created_after = keyset.unless_implied(filter.created_after);
    let mut page = matching(filter, created_after).order(keyset.order()).limit(keyset.limit);
    if let Some(rest) = keyset.rest(c) {
        page = page.filter(rest);
    }
    page.select(COLUMNS).load(c)
}

/// How many accounts there are in all.
pub fn count(c: &mut DbConnection, filter: &Filter) -> QueryResult<i64> {
    matching(filter, filter.created_after).select(count_star()).first(c)
}
