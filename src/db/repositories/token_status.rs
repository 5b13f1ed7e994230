//! The status of access tokens. Each request with a token reads it, unless it is cached.

use diesel::{
    dsl::{exists, not},
    sql_types::{BigInt, Bool, Text},
};

use super::{
    array_statement::{ArrayStatement, extended},
    prelude::*,
};
use crate::{
    db::{
        BatchableWork, DbConnection,
        schema::{cache_suspensions, revoked_tokens, sessions, users},
    },
    domain::{Role, SessionId, Timestamp, TokenStatus, UserId},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct AccountStatusRow {
    id: i64,
    #[diesel(deserialize_as = String)]
    role: Role,
    disabled: bool,
    revision: i64,
}

impl AccountStatusRow {
    fn into_status(self, session_ended: bool, token_revoked: bool, is_cacheable: bool) -> TokenStatus {
        TokenStatus {
            user_id: UserId::new(self.id),
            role: self.role,
            disabled: self.disabled,
            session_ended,
            token_revoked,
            revision: self.revision,
            is_cacheable,
        }
    }
}

/// Reads the status of an access token. The output is `None` if its session does not exist.
#[derive(Clone, Debug)]
pub struct ReadTokenStatus {
    pub session_id: SessionId,
    pub token_id: String,
    pub now: Timestamp,
}

impl BatchableWork for ReadTokenStatus {
    type Output = Option<TokenStatus>;

    fn run(&self, c: &mut DbConnection) -> QueryResult<Self::Output> {
        let session = sessions::table.inner_join(users::table).filter(sessions::id.eq(self.session_id.get()));
        let is_ended = sessions::revoked_at.is_not_null();
        let is_revoked = exists(revoked_tokens::table.filter(revoked_tokens::token_id.eq(&self.token_id)));
        let is_cacheable =
            not(exists(cache_suspensions::table.filter(cache_suspensions::ends_at.gt(self.now.micros()))));
        let row: Option<(AccountStatusRow, bool, bool, bool)> = on_engine!(c => session
            .select((AccountStatusRow::as_select(), is_ended, is_revoked, is_cacheable))
            .first(c)
            .optional()?);
        Ok(row.map(|(account, is_ended, is_revoked, is_cacheable)| {
            account.into_status(is_ended, is_revoked, is_cacheable)
        }))
    }

    fn run_all(works: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<Self::Output>>> {
        let (DbConnection::Postgres(c), [_, _, ..]) = (&mut *c, works) else {
            return works.iter().map(|work| work.run(c).map(Some)).collect();
        };
        // No status is cached that the earliest of the requests must not cache.
        let now = works.iter().map(|work| work.now).min().unwrap_or_default();
        let mut statement = ArrayStatement::<(BigInt, (BigInt, Text, Bool, BigInt), Bool, Bool, Bool)>::new();
        statement
            .sql("SELECT request.position, users.id, users.role, users.disabled, users.revision, ")
            .sql("sessions.revoked_at IS NOT NULL, ")
            .sql("EXISTS (SELECT FROM revoked_tokens WHERE revoked_tokens.token_id = request.token_id), ")
            .sql("NOT EXISTS (SELECT FROM cache_suspensions WHERE ends_at > ALL (")
            .integers(std::iter::once(now.micros()))
            .sql(")) FROM unnest(")
            .integers(works.iter().map(|work| work.session_id.get()))
            .sql(", ")
            .texts(extended(works.iter().map(|work| work.token_id.as_str().into())).into_iter())
            .sql(") WITH ORDINALITY AS request (session_id, token_id, position) ")
            .sql("JOIN sessions ON sessions.id = request.session_id JOIN users ON users.id = sessions.user_id");
        let rows: Vec<TokenStatusRow> = statement.load(c)?;
        let mut statuses: Vec<Option<Self::Output>> = works.iter().map(|_| Some(None)).collect();
        for (position, account, is_ended, is_revoked, is_cacheable) in rows {
            // Positions begin with 1.
            let status = usize::try_from(position - 1).ok().and_then(|index| statuses.get_mut(index));
            if let Some(status) = status {
                *status = Some(Some(account.into_status(is_ended, is_revoked, is_cacheable)));
            }
        }
        Ok(statuses)
    }
}

type TokenStatusRow = (i64, AccountStatusRow, bool, bool, bool);
