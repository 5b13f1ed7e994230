//! Everybody's accounts, for administrators.

use contract::{
    Admin, Json,
    caller::Client,
    listing::{Format, ListResponse, RowStream},
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::AdminUserEndpoints,
        parameters::{Cursor, Include, Sort},
        responses::{NoContent, Retrieved, Updated},
        schemas::{Links, Role, User, UserPage, UserPatch},
    },
    values::{Id, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::{
    Conditions, Cursors,
    conditions::tag,
    pages::{self, ListRequest, PageEnvelope},
    representations,
    tables::BATCH,
};
use crate::{
    db::repositories::users::{ADMIN, Filter, USER, UserRow},
    endpoints::audit_origin,
    services::Users,
};

/// `/v2/admin/users` over the accounts.
pub struct AdminUsers {
    pub(super) users: Users,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
}

const PATH: &str = "/v2/admin/users";

impl AdminUserEndpoints for AdminUsers {
    async fn list(
        &self,
        _: Admin,
        format: Format,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<i32>>,
        Query(sort): Query<Option<Sort>>,
        Query(q): Query<Option<SearchText>>,
        Query(role): Query<Option<Role>>,
        Query(disabled): Query<Option<bool>>,
        Query(created_after): Query<Option<Timestamp>>,
        Query(include): Query<Vec<Include>>,
        _: IfNoneMatch,
    ) -> Result<ListResponse<UserPage>, ProblemResponse> {
        let role = role.map(role_name);
        let asked = ListRequest {
            list: "users".to_owned(),
            filter: Filter {
                pattern: pages::pattern(q.as_ref()),
                created_after: created_after.map(Timestamp::micros),
                role: role.map(str::to_owned),
                disabled,
            },
            sort: sort.as_ref(),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&Include::Total),
        };
        let (walk, binding) = asked.walk(&self.cursors)?;
        let sort_key = walk.keyset.sort;
        if let (Format::Rows(format), None) = (format, per_page) {
            let users = self.users.clone();
            let fetch = move |walk| {
                let users = users.clone();
                async move { users.walk(walk).await }
            };
            let body = pages::all(format, BATCH, walk, fetch, UserRow::position, shown).await?;
            return Ok(ListResponse::Rows(RowStream { format, file_name: "users", body, link: None }));
        }
        let found = self.users.walk(walk).await?;
        let next = pages::end(&found, |row| row.position(sort_key)).map(|end| self.cursors.write(&binding, &end));
        let query = pages::Query::default()
            .with("sort", sort.as_ref().map(|Sort(sort)| sort))
            .with("q", q.map(|SearchText(q)| q))
            .with("role", role)
            .with("disabled", disabled)
            .with("created_after", created_after)
            .with("include", asked.with_total.then_some("total"));
        let frame = PageEnvelope::new(PATH, &query, asked.limit, cursor.as_ref(), next.as_deref(), found.total);
        let data = found.rows.into_iter().map(shown).collect();
        let page = UserPage { data, meta: frame.meta, links: frame.links };
        pages::answer(format, "users", page, |page| page.data, frame.header)
    }

    async fn get(
        &self,
        _: Admin,
        Path(Id(user_id)): Path<Id>,
        _: IfNoneMatch,
    ) -> Result<Retrieved<User>, ProblemResponse> {
        let row = self.users.get(user_id).await?;
        Ok(Retrieved { tag: tag(&Users::version(&row)), body: Json(shown(row)) })
    }

    async fn update(
        &self,
        Admin(caller): Admin,
        client: Client,
        Path(Id(user_id)): Path<Id>,
        if_match: IfMatch,
        Json(body): Json<UserPatch>,
    ) -> Result<Updated<User>, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let origin = audit_origin(client, Some(caller.user_id));
        let row = self.users.update(user_id, body.role.map(role_name), body.disabled, precondition, origin).await?;
        Ok(Updated { tag: tag(&Users::version(&row)), body: Json(shown(row)) })
    }

    async fn delete(
        &self,
        Admin(caller): Admin,
        client: Client,
        Path(Id(user_id)): Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        self.users.delete(user_id, precondition, audit_origin(client, Some(caller.user_id))).await?;
        Ok(NoContent)
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::User => USER,
        Role::Admin => ADMIN,
    }
}

fn shown(row: UserRow) -> User {
    let links = Links::User(row.id);
    representations::user(row, links)
}
