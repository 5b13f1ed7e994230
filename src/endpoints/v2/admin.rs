//! `/v2/admin/users`.

use contract::{
    Admin,
    caller::ClientInfo,
    listing::{Format, ListResponse, RowStream},
    payload::MergePatch,
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::AdminUserEndpoints,
        parameters::{Cursor, Include, PerPage, Sort},
        responses::{NoContent, Retrieved, Updated},
        schemas::{Links, Role, User, UserPage, UserPatch},
    },
    values::{Id, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::{
    Conditions, Cursors,
    conditions::with_etag,
    pages::{self, ListRequest, PageEnvelope},
    representations,
    tables::BATCH_SIZE,
};
use crate::{
    domain::{self, UserChanges, UserFilter, UserId},
    endpoints::audit_origin,
    services::Users,
};

/// Implements the endpoints of all accounts.
pub struct AdminUserApi {
    pub(super) users: Users,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
}

const PATH: &str = "/v2/admin/users";

impl AdminUserEndpoints for AdminUserApi {
    async fn list(
        &self,
        _: Admin,
        format: Format,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(sort): Query<Option<Sort>>,
        Query(q): Query<Option<SearchText>>,
        Query(role): Query<Option<Role>>,
        Query(disabled): Query<Option<bool>>,
        Query(created_after): Query<Option<Timestamp>>,
        Query(include): Query<Vec<Include>>,
        _: IfNoneMatch,
    ) -> Result<ListResponse<UserPage>, ProblemResponse> {
        let role = role.map(domain_role);
        let request = ListRequest {
            list: "users".to_owned(),
            filter: UserFilter {
                q: pages::text_filter(q.as_ref()),
                created_after: created_after.map(|time| domain::Timestamp::from_micros(time.micros())),
                role,
                disabled,
            },
            sort: sort.as_ref(),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&Include::Total),
        };
        let (query, binding) = request.query(&self.cursors)?;
        let sort_key = query.keyset.sort;
        if let (Format::Rows(format), None) = (format, per_page) {
            let users = self.users.clone();
            let fetch = move |query| {
                let users = users.clone();
                async move { users.list_by_cursor(query).await }
            };
            let body = pages::stream_all(format, BATCH_SIZE, query, fetch, domain::User::position, user).await?;
            return Ok(ListResponse::Rows(RowStream { format, file_name: "users", body, link: None }));
        }
        let page = self.users.list_by_cursor(query).await?;
        let next = pages::next_position(&page, |user| user.position(sort_key))
            .map(|position| self.cursors.encode(&binding, &position));
        let link_query = pages::Query::default()
            .with("sort", sort.as_ref().map(|Sort(sort)| sort))
            .with("q", q.map(|SearchText(q)| q))
            .with("role", role)
            .with("disabled", disabled)
            .with("created_after", created_after)
            .with("include", request.with_total.then_some("total"));
        let envelope =
            PageEnvelope::new(PATH, &link_query, request.limit, cursor.as_ref(), next.as_deref(), page.total);
        let data = page.data.into_iter().map(user).collect();
        let page = UserPage { data, meta: envelope.meta, links: envelope.links };
        pages::list_response(format, "users", page, |page| page.data, envelope.header)
    }

    async fn get(
        &self,
        _: Admin,
        Path(Id(user_id)): Path<Id>,
        _: IfNoneMatch,
    ) -> Result<Retrieved<User>, ProblemResponse> {
        let (value, etag) = with_etag(self.users.get(UserId::new(user_id)).await?)?;
        Ok(Retrieved::new(etag, user(value)))
    }

    async fn update(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        Path(Id(user_id)): Path<Id>,
        if_match: IfMatch,
        MergePatch(body): MergePatch<UserPatch>,
    ) -> Result<Updated<User>, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        let changes = UserChanges {
            role: body.role.map(domain_role),
            disabled: body.disabled,
            deprecation_notices_enabled: body.deprecation_notices_enabled,
        };
        let (value, etag) = with_etag(self.users.update(UserId::new(user_id), changes, precondition, origin).await?)?;
        Ok(Updated::new(etag, user(value)))
    }

    async fn delete(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        Path(Id(user_id)): Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        self.users.delete(UserId::new(user_id), precondition, origin).await?;
        Ok(NoContent)
    }
}

const fn domain_role(role: Role) -> domain::Role {
    match role {
        Role::User => domain::Role::User,
        Role::Admin => domain::Role::Admin,
    }
}

fn user(user: domain::User) -> User {
    let links = Links::User(user.id.get());
    representations::user(user, links)
}
