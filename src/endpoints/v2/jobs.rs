//! `/v2/admin/jobs` and `/v2/admin/schedules`.

use contract::{
    Admin, Json,
    caller::ClientInfo,
    listing::{Format, ListResponse, RowStream},
    v2::{
        IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::JobEndpoints,
        parameters::{Cursor, Include, JobState, PerPage, Sort, Token},
        responses::{NoContent, PageResponse, Retrieved},
        schemas::{
            ExportState, Job, JobPage, JobPriority, JobSchedule, JobSchedulePage, JobScheduleResult, Links,
            UserExportPage,
        },
    },
    values::{Id, Nullable},
};
use poem_openapi::param::{Path, Query};

use super::{
    Conditions, Cursors,
    conditions::with_etag,
    exports::{domain_export_state, user_export},
    pages::{self, ListRequest, PageEnvelope},
    representations::timestamp,
    tables::BATCH_SIZE,
};
use crate::{
    domain::{self, ExportFilter, JobFilter, JobId, UserId},
    endpoints::audit_origin,
    services::{Exports, Jobs},
};

/// Implements the endpoints of background jobs.
pub struct JobApi {
    pub(super) jobs: Jobs,
    pub(super) exports: Exports,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
}

const PATH: &str = "/v2/admin/jobs";
const EXPORTS_PATH: &str = "/v2/admin/exports";
const SCHEDULES_PATH: &str = "/v2/admin/schedules";

impl JobEndpoints for JobApi {
    async fn list(
        &self,
        _: Admin,
        format: Format,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(state): Query<Option<JobState>>,
        Query(kind): Query<Option<Token>>,
        Query(include): Query<Vec<Include>>,
        _: IfNoneMatch,
    ) -> Result<ListResponse<JobPage>, ProblemResponse> {
        let newest_first = Sort("-created_at".to_owned());
        let request = ListRequest {
            list: "jobs".to_owned(),
            filter: JobFilter { state: state.map(domain_state), kind: kind.map(|Token(kind)| kind) },
            sort: Some(&newest_first),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&Include::Total),
        };
        let (query, binding) = request.query(&self.cursors)?;
        if let (Format::Rows(format), None) = (format, per_page) {
            let jobs = self.jobs.clone();
            let fetch = move |query| {
                let jobs = jobs.clone();
                async move { jobs.list_by_cursor(query).await }
            };
            let position = |job: &domain::Job, _| job.position();
            let body = pages::stream_all(format, BATCH_SIZE, query, fetch, position, job).await?;
            return Ok(ListResponse::Rows(RowStream { format, file_name: "jobs", body, link: None }));
        }
        let page = self.jobs.list_by_cursor(query).await?;
        let next =
            pages::next_position(&page, domain::Job::position).map(|position| self.cursors.encode(&binding, &position));
        let link_query = pages::Query::default()
            .with("state", state.map(JobState::as_str))
            .with("kind", request.filter.kind.as_deref())
            .with("include", request.with_total.then_some("total"));
        let envelope =
            PageEnvelope::new(PATH, &link_query, request.limit, cursor.as_ref(), next.as_deref(), page.total);
        let data = page.data.into_iter().map(job).collect();
        let page = JobPage { data, meta: envelope.meta, links: envelope.links };
        pages::list_response(format, "jobs", page, |page| page.data, envelope.header)
    }

    async fn get(&self, _: Admin, Path(Id(id)): Path<Id>, _: IfNoneMatch) -> Result<Retrieved<Job>, ProblemResponse> {
        let (value, etag) = with_etag(self.jobs.get(JobId::new(id)).await?)?;
        Ok(Retrieved::new(etag, job(value)))
    }

    async fn retry(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        Path(Id(id)): Path<Id>,
    ) -> Result<Json<Job>, ProblemResponse> {
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        Ok(Json(job(self.jobs.retry(JobId::new(id), origin).await?)))
    }

    async fn cancel(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        Path(Id(id)): Path<Id>,
    ) -> Result<Json<Job>, ProblemResponse> {
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        Ok(Json(job(self.jobs.cancel(JobId::new(id), origin).await?)))
    }

    async fn delete(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        self.jobs.delete(JobId::new(id), precondition, origin).await?;
        Ok(NoContent)
    }

    async fn exports(
        &self,
        _: Admin,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(state): Query<Option<ExportState>>,
        Query(user_id): Query<Option<Id>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<UserExportPage>, ProblemResponse> {
        let newest_first = Sort("-created_at".to_owned());
        let request = ListRequest {
            list: "exports".to_owned(),
            filter: ExportFilter {
                state: state.map(domain_export_state),
                owner: user_id.map(|Id(id)| UserId::new(id)),
            },
            sort: Some(&newest_first),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: false,
        };
        let (query, binding) = request.query(&self.cursors)?;
        let page = self.exports.list_by_cursor(query).await?;
        let next = pages::next_position(&page, domain::UserExport::position)
            .map(|position| self.cursors.encode(&binding, &position));
        let link_query = pages::Query::default()
            .with("state", state.map(ExportState::as_str))
            .with("user_id", user_id.map(|Id(id)| id));
        let envelope =
            PageEnvelope::new(EXPORTS_PATH, &link_query, request.limit, cursor.as_ref(), next.as_deref(), None);
        let data = page.data.into_iter().map(user_export).collect();
        let page = UserExportPage { data, meta: envelope.meta, links: envelope.links };
        pages::page_response(page, envelope.header)
    }

    async fn schedules(
        &self,
        _: Admin,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<JobSchedulePage>, ProblemResponse> {
        let limit = pages::per_page(per_page);
        let all = self.jobs.list_schedules().await?;
        let (page, next) = pages::page_of_all(all, "job schedules", &self.cursors, cursor.as_ref(), limit)?;
        let link_query = pages::Query::default();
        let envelope = PageEnvelope::new(SCHEDULES_PATH, &link_query, limit, cursor.as_ref(), next.as_deref(), None);
        let data = page.data.into_iter().map(schedule).collect();
        let page = JobSchedulePage { data, meta: envelope.meta, links: envelope.links };
        pages::page_response(page, envelope.header)
    }

    async fn run_schedule(
        &self,
        Admin(caller): Admin,
        client: ClientInfo,
        Path(Token(name)): Path<Token>,
    ) -> Result<Json<JobSchedule>, ProblemResponse> {
        let origin = audit_origin(client, Some(UserId::new(caller.user_id)));
        Ok(Json(schedule(self.jobs.run_schedule(name, origin).await?)))
    }
}

const fn domain_state(state: JobState) -> domain::JobState {
    match state {
        JobState::Queued => domain::JobState::Queued,
        JobState::Running => domain::JobState::Running,
        JobState::Retrying => domain::JobState::Retrying,
        JobState::Done => domain::JobState::Done,
        JobState::Dead => domain::JobState::Dead,
        JobState::Cancelled => domain::JobState::Cancelled,
    }
}

const fn contract_state(state: domain::JobState) -> JobState {
    match state {
        domain::JobState::Queued => JobState::Queued,
        domain::JobState::Running => JobState::Running,
        domain::JobState::Retrying => JobState::Retrying,
        domain::JobState::Done => JobState::Done,
        domain::JobState::Dead => JobState::Dead,
        domain::JobState::Cancelled => JobState::Cancelled,
    }
}

fn job(job: domain::Job) -> Job {
    let (id, state) = (job.id.get(), job.state);
    Job {
        id: Id(id),
        kind: job.kind,
        state: contract_state(state),
        priority: match job.priority {
            domain::JobPriority::High => JobPriority::High,
            domain::JobPriority::Normal => JobPriority::Normal,
            domain::JobPriority::Low => JobPriority::Low,
        },
        attempts: job.attempts,
        max_attempts: job.max_attempts,
        payload: job.payload,
        last_error: Nullable(job.last_error),
        run_at: Nullable(job.run_at.map(timestamp)),
        created_at: timestamp(job.created_at),
        started_at: Nullable(job.started_at.map(timestamp)),
        finished_at: Nullable(job.finished_at.map(timestamp)),
        worker: Nullable(job.worker),
        links: Links::Job {
            id,
            can_retry: state.can_retry(),
            can_cancel: state.is_pending(),
            can_delete: state.can_delete(),
        },
    }
}

fn schedule(schedule: domain::JobSchedule) -> JobSchedule {
    JobSchedule {
        name: schedule.name,
        interval_seconds: i64::try_from(schedule.interval.as_secs()).unwrap_or(i64::MAX),
        next_run_at: timestamp(schedule.next_run_at),
        last_started_at: Nullable(schedule.last_started_at.map(timestamp)),
        last_finished_at: Nullable(schedule.last_finished_at.map(timestamp)),
        last_result: Nullable(schedule.last_result.map(|result| match result {
            domain::ScheduleResult::Succeeded => JobScheduleResult::Succeeded,
            domain::ScheduleResult::Failed => JobScheduleResult::Failed,
        })),
        last_error: Nullable(schedule.last_error),
        last_count: Nullable(schedule.last_count),
        worker: Nullable(schedule.worker),
    }
}
