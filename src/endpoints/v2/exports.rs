//! `/v2/exports`.

use std::{io, marker::PhantomData};

use contract::{
    ApiError, ErrorCode, Json, User,
    caller::ClientInfo,
    listing::Format,
    negotiation::Accept,
    table::RowFormat,
    v2::{
        IdempotencyKey, IfNoneMatch, ProblemResponse,
        endpoints::ExportEndpoints,
        responses::{AcceptedWithBody, ExportDownload, FileBody, StatusResponse},
        schemas::{
            Export, ExportContent, ExportCreate, ExportFormat, ExportRecord, ExportState, Links, ResourceType,
            UserExport,
        },
    },
    values::{Date, Id, Nullable},
};
use futures_util::stream;
use poem::Body;
use poem_openapi::param::Path;
use tracing::{Instrument, Span};

use super::{conditions::with_etag, representations::timestamp, tables::stream_error};
use crate::{
    domain::{self, ExportId, JobId, UserId},
    endpoints::audit_origin,
    services::{ExportFile, Exports},
};

/// Implements the endpoints of exports.
pub struct ExportApi {
    pub(super) exports: Exports,
}

impl ExportEndpoints for ExportApi {
    async fn create(
        &self,
        User(caller): User,
        client: ClientInfo,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<ExportCreate>,
    ) -> Result<AcceptedWithBody<Export>, ProblemResponse> {
        let format = match body.format.unwrap_or_default() {
            ExportFormat::Json => domain::ExportFormat::Json,
            ExportFormat::Csv => domain::ExportFormat::Csv,
            ExportFormat::Ndjson => domain::ExportFormat::Ndjson,
        };
        let user_id = UserId::new(caller.user_id);
        let created = self.exports.create(user_id, format, key, audit_origin(client, Some(user_id))).await?;
        let location = format!("/v2/exports/{}", created.value.id);
        Ok(AcceptedWithBody::new(location, created.replayed, export(&created.value)))
    }

    async fn get(
        &self,
        User(caller): User,
        Path(Id(export_id)): Path<Id>,
        _: IfNoneMatch,
    ) -> Result<StatusResponse<Export>, ProblemResponse> {
        let (value, etag) = with_etag(self.exports.get(UserId::new(caller.user_id), ExportId::new(export_id)).await?)?;
        let is_final = !value.state.is_pending();
        Ok(StatusResponse::new(etag, is_final, export(&value)))
    }

    async fn content(
        &self,
        User(caller): User,
        client: ClientInfo,
        accept: Accept,
        Path(Id(export_id)): Path<Id>,
    ) -> Result<ExportDownload<ExportContent>, ProblemResponse> {
        let user_id = UserId::new(caller.user_id);
        let origin = audit_origin(client, Some(user_id));
        let file = self.exports.open_file(user_id, ExportId::new(export_id), origin).await?;
        let format = export_format(file.export.format).format();
        let media_type = match format {
            Format::Json => "application/json",
            Format::Rows(rows) => rows.media_type(),
        };
        if !accept.allows(media_type) {
            let offered = format!("This export has the media type {media_type}.");
            return Err(ApiError::new(ErrorCode::NotAcceptable).with_message(offered).into());
        }
        let extension = match format {
            Format::Json => "json",
            Format::Rows(rows) => rows.extension(),
        };
        let disposition = format!("attachment; filename=\"bucketlists-{export_id}.{extension}\"");
        let body = FileBody { format, body: body(format, file), document: PhantomData };
        Ok(ExportDownload::Ok(body, disposition.into()))
    }
}

const fn export_format(format: domain::ExportFormat) -> ExportFormat {
    match format {
        domain::ExportFormat::Json => ExportFormat::Json,
        domain::ExportFormat::Csv => ExportFormat::Csv,
        domain::ExportFormat::Ndjson => ExportFormat::Ndjson,
    }
}

const fn export_state(state: domain::ExportState) -> ExportState {
    match state {
        domain::ExportState::Queued => ExportState::Queued,
        domain::ExportState::Running => ExportState::Running,
        domain::ExportState::Finished => ExportState::Finished,
        domain::ExportState::Failed => ExportState::Failed,
    }
}

pub(super) const fn domain_export_state(state: ExportState) -> domain::ExportState {
    match state {
        ExportState::Queued => domain::ExportState::Queued,
        ExportState::Running => domain::ExportState::Running,
        ExportState::Finished => domain::ExportState::Finished,
        ExportState::Failed => domain::ExportState::Failed,
    }
}

/// Returns the representation of an export for administrators.
pub(super) fn user_export(domain::UserExport { export, owner, job }: domain::UserExport) -> UserExport {
    UserExport {
        id: Id(export.id.get()),
        user_id: Id(owner.get()),
        state: export_state(export.state),
        format: export_format(export.format),
        records: Nullable(export.records),
        created_at: timestamp(export.created_at),
        finished_at: Nullable(export.finished_at.map(timestamp)),
        expires_at: timestamp(export.expires_at),
        links: Links::UserExport { user_id: owner.get(), job_id: job.map(JobId::get) },
    }
}

fn export(export: &domain::Export) -> Export {
    let state = export_state(export.state);
    Export {
        id: Id(export.id.get()),
        state,
        format: export_format(export.format),
        records: Nullable(export.records),
        created_at: timestamp(export.created_at),
        finished_at: Nullable(export.finished_at.map(timestamp)),
        expires_at: timestamp(export.expires_at),
        links: Links::Export { id: export.id.get(), has_content: state == ExportState::Finished },
    }
}

fn record(record: domain::ExportRecord) -> ExportRecord {
    ExportRecord {
        kind: if record.is_item { ResourceType::Item } else { ResourceType::Bucketlist },
        id: Id(record.id),
        bucketlist_id: Id(record.bucketlist_id.get()),
        name: record.name,
        description: Nullable(record.description),
        done: Nullable(record.done),
        done_at: Nullable(record.done_at.map(timestamp)),
        due_on: Nullable(record.due_on.map(Date)),
        created_at: timestamp(record.created_at),
        updated_at: timestamp(record.updated_at),
    }
}

/// The next chunk of a file.
enum Step {
    Begin,
    Part(i32),
    End,
}

/// Streams the file with one part in memory at a time. If a part was deleted, the stream fails and the server closes the connection:
/// otherwise, the truncated file would look complete.
fn body(format: Format, file: ExportFile) -> Body {
    let span = Span::current();
    // NDJSON has no header.
    let first = if format == Format::Rows(RowFormat::Ndjson) { Step::Part(0) } else { Step::Begin };
    Body::from_bytes_stream(stream::try_unfold((first, file), move |(step, file)| {
        let producing = async move {
            let (text, next) = match step {
                Step::Begin => (header(format).map_err(stream_error)?, Step::Part(0)),
                Step::Part(number) if number < file.parts() => {
                    let records = file.part(number).await.map_err(stream_error)?.into_iter().map(record).collect();
                    (part(format, records, number == 0).map_err(stream_error)?, Step::Part(number + 1))
                }
                Step::Part(_) if format == Format::Json => (b"\n]}\n".to_vec(), Step::End),
                Step::Part(_) | Step::End => return Ok(None),
            };
            Ok::<_, io::Error>(Some((text, (next, file))))
        };
        producing.instrument(span.clone())
    }))
}

fn header(format: Format) -> io::Result<Vec<u8>> {
    match format {
        Format::Json => Ok(b"{\"records\":[".to_vec()),
        Format::Rows(rows) => rows.write_header::<ExportRecord>(),
    }
}

fn part(format: Format, records: Vec<ExportRecord>, is_first: bool) -> io::Result<Vec<u8>> {
    let rows = match format {
        Format::Rows(rows) => return rows.append(&records, Vec::new()),
        Format::Json => RowFormat::Ndjson,
    };
    // In JSON, too, each record is a line; the separators between them make it an array.
    let mut text = Vec::new();
    for (index, record) in records.iter().enumerate() {
        text.extend_from_slice(if is_first && index == 0 { b"\n" } else { b",\n" });
        text = rows.append(std::slice::from_ref(record), text)?;
        text.pop();
    }
    Ok(text)
}
