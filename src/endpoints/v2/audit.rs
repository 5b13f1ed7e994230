//! What was done, by whom and from where, for administrators.

use contract::{
    Admin,
    listing::{Format, ListResponse, RowStream},
    v2::{
        IfNoneMatch, ProblemResponse,
        endpoints::AuditEndpoints,
        parameters::{AuditAction, AuditTarget, Cursor, Include, Sort, TimeSort},
        schemas::{AuditEvent, AuditEventPage, Links},
    },
    values::{Id, Nullable, Timestamp},
};
use poem_openapi::param::Query;

use super::{
    Cursors,
    pages::{self, ListRequest, PageEnvelope},
    tables::BATCH,
};
use crate::{
    db::repositories::audit::{AuditRow, Filter},
    services::Audit,
};

/// `/v2/admin/audit` over the audit trail.
pub struct AuditTrail {
    pub(super) audit: Audit,
    pub(super) cursors: Cursors,
}

const PATH: &str = "/v2/admin/audit";

impl AuditEndpoints for AuditTrail {
    async fn list(
        &self,
        _: Admin,
        format: Format,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<i32>>,
        Query(sort): Query<Option<TimeSort>>,
        Query(actor_id): Query<Option<Id>>,
        Query(action): Query<Option<AuditAction>>,
        Query(target_type): Query<Option<AuditTarget>>,
        Query(target_id): Query<Option<Id>>,
        Query(created_after): Query<Option<Timestamp>>,
        Query(created_before): Query<Option<Timestamp>>,
        Query(include): Query<Vec<Include>>,
        _: IfNoneMatch,
    ) -> Result<ListResponse<AuditEventPage>, ProblemResponse> {
        let (action, target_type) = (action.map(AuditAction::as_str), target_type.map(AuditTarget::as_str));
        let order = Sort(sort.as_ref().map_or("-created_at", |TimeSort(sort)| sort).to_owned());
        let asked = ListRequest {
            list: "audit events".to_owned(),
            filter: Filter {
                actor_id: actor_id.map(|Id(id)| id),
                action: action.map(str::to_owned),
                target_type: target_type.map(str::to_owned),
                target_id: target_id.map(|Id(id)| id),
                created_after: created_after.map(Timestamp::micros),
                created_before: created_before.map(Timestamp::micros),
            },
            sort: Some(&order),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&Include::Total),
        };
        let (walk, binding) = asked.walk(&self.cursors)?;
        if let (Format::Rows(format), None) = (format, per_page) {
            let audit = self.audit.clone();
            let fetch = move |walk| {
                let audit = audit.clone();
                async move { audit.walk(walk).await }
            };
            let body = pages::all(format, BATCH, walk, fetch, |row: &AuditRow, _| row.position(), shown).await?;
            return Ok(ListResponse::Rows(RowStream { format, file_name: "audit", body, link: None }));
        }
        let found = self.audit.walk(walk).await?;
        let next = pages::end(&found, AuditRow::position).map(|end| self.cursors.write(&binding, &end));
        let query = pages::Query::default()
            .with("sort", sort.as_ref().map(|TimeSort(sort)| sort))
            .with("actor_id", actor_id.map(|Id(id)| id))
            .with("action", action)
            .with("target_type", target_type)
            .with("target_id", target_id.map(|Id(id)| id))
            .with("created_after", created_after)
            .with("created_before", created_before)
            .with("include", asked.with_total.then_some("total"));
        let frame = PageEnvelope::new(PATH, &query, asked.limit, cursor.as_ref(), next.as_deref(), found.total);
        let data = found.rows.into_iter().map(shown).collect();
        let page = AuditEventPage { data, meta: frame.meta, links: frame.links };
        pages::answer(format, "audit", page, |page| page.data, frame.header)
    }
}

fn shown(row: AuditRow) -> AuditEvent {
    AuditEvent {
        id: Id(row.id),
        created_at: Timestamp::from_micros(row.created_at),
        action: row.action,
        actor_id: Nullable(row.actor_id.map(Id)),
        target_type: Nullable(row.target_type),
        target_id: Nullable(row.target_id.map(Id)),
        request_id: Nullable(row.request_id),
        address: Nullable(row.address),
        // Written by this server: what somebody else has put there cannot be shown.
        detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        links: Links::AuditEvent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain;

    #[test]
    fn the_contract_names_what_is_recorded() {
        let words = |all: &[AuditAction]| all.iter().map(|action| action.as_str()).collect::<Vec<_>>();
        let recorded: Vec<&str> = domain::AuditAction::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(words(AuditAction::ALL), recorded);
        let targets: Vec<&str> = AuditTarget::ALL.iter().map(|target| target.as_str()).collect();
        assert_eq!(targets, domain::AuditTarget::ALL.iter().map(|target| target.as_str()).collect::<Vec<_>>());
    }
}
