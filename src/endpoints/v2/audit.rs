//! `/v2/admin/audit`.

use contract::{
    Admin,
    listing::{Format, ListResponse, RowStream},
    v2::{
        IfNoneMatch, ProblemResponse,
        endpoints::AuditEndpoints,
        parameters::{AuditAction, AuditTarget, Cursor, Include, PerPage, Sort, TimeSort},
        schemas::{AuditEvent, AuditEventPage, Links},
    },
    values::{Id, Nullable, Timestamp},
};
use poem_openapi::param::Query;

use super::{
    Cursors,
    pages::{self, ListRequest, PageEnvelope},
    representations::timestamp,
    tables::BATCH_SIZE,
};
use crate::{
    domain::{self, AuditFilter, UserId},
    services::{Audit, Error},
};

/// Implements the endpoint of the audit trail.
pub struct AuditApi {
    pub(super) audit: Audit,
    pub(super) cursors: Cursors,
}

const PATH: &str = "/v2/admin/audit";

impl AuditEndpoints for AuditApi {
    async fn list(
        &self,
        _: Admin,
        format: Format,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
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
        let time = |time: Timestamp| domain::Timestamp::from_micros(time.micros());
        // The contract and the domain have the same names (a test compares them).
        let unknown = |error: domain::UnknownValue| Error::Internal(Box::new(error));
        let request = ListRequest {
            list: "audit events".to_owned(),
            filter: AuditFilter {
                actor_id: actor_id.map(|Id(id)| UserId::new(id)),
                action: action.map(str::parse).transpose().map_err(unknown)?,
                target_type: target_type.map(str::parse).transpose().map_err(unknown)?,
                target_id: target_id.map(|Id(id)| id),
                created_after: created_after.map(time),
                created_before: created_before.map(time),
            },
            sort: Some(&order),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&Include::Total),
        };
        let (query, binding) = request.query(&self.cursors)?;
        if let (Format::Rows(format), None) = (format, per_page) {
            let audit = self.audit.clone();
            let fetch = move |query| {
                let audit = audit.clone();
                async move { audit.list_by_cursor(query).await }
            };
            let position = |event: &domain::AuditEvent, _| event.position();
            let body = pages::stream_all(format, BATCH_SIZE, query, fetch, position, audit_event).await?;
            return Ok(ListResponse::Rows(RowStream { format, file_name: "audit", body, link: None }));
        }
        let page = self.audit.list_by_cursor(query).await?;
        let next = pages::next_position(&page, domain::AuditEvent::position)
            .map(|position| self.cursors.encode(&binding, &position));
        let link_query = pages::Query::default()
            .with("sort", sort.as_ref().map(|TimeSort(sort)| sort))
            .with("actor_id", actor_id.map(|Id(id)| id))
            .with("action", action)
            .with("target_type", target_type)
            .with("target_id", target_id.map(|Id(id)| id))
            .with("created_after", created_after)
            .with("created_before", created_before)
            .with("include", request.with_total.then_some("total"));
        let envelope =
            PageEnvelope::new(PATH, &link_query, request.limit, cursor.as_ref(), next.as_deref(), page.total);
        let data = page.data.into_iter().map(audit_event).collect();
        let page = AuditEventPage { data, meta: envelope.meta, links: envelope.links };
        pages::list_response(format, "audit", page, |page| page.data, envelope.header)
    }
}

fn audit_event(event: domain::AuditEvent) -> AuditEvent {
    AuditEvent {
        id: Id(event.id.get()),
        created_at: timestamp(event.created_at),
        action: event.action,
        actor_id: Nullable(event.actor_id.map(|id| Id(id.get()))),
        target_type: Nullable(event.target_type),
        target_id: Nullable(event.target_id.map(Id)),
        request_id: Nullable(event.request_id),
        address: Nullable(event.address),
        detail: event.detail.into_iter().collect(),
        links: Links::AuditEvent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_and_domain_have_the_same_actions_and_targets() {
        let words = |all: &[AuditAction]| all.iter().map(|action| action.as_str()).collect::<Vec<_>>();
        let recorded: Vec<&str> = domain::AuditAction::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(words(AuditAction::ALL), recorded);
        let targets: Vec<&str> = AuditTarget::ALL.iter().map(|target| target.as_str()).collect();
        assert_eq!(targets, domain::AuditTarget::ALL.iter().map(|target| target.as_str()).collect::<Vec<_>>());
    }
}
