//! Everything of the caller's as one file.

use std::{io, marker::PhantomData};

use contract::{
    ApiError, ErrorCode, Json, User,
    caller::Client,
    listing::Format,
    negotiation::Accept,
    table::RowFormat,
    v2::{
        IdempotencyKey, IfNoneMatch, ProblemResponse,
        endpoints::ExportEndpoints,
        long_running::{ExportDownload, Progress, Queued},
        schemas::{Export, ExportContent, ExportCreate, ExportFormat, ExportRecord, ExportState, HitType, Links},
    },
    values::{Date, Id, Nullable, Timestamp},
};
use futures_util::stream;
use poem::Body;
use poem_openapi::param::Path;
use tracing::{Instrument, Span};

use super::{conditions::tag, tables::broken};
use crate::{
    db::repositories::exports::{ExportRow, FINISHED, QUEUED, RUNNING, Record},
    endpoints::audit_origin,
    services::{ETag, ExportFile, Exports},
};

/// `/v2/exports` over the exports.
pub struct ExportFiles {
    pub(super) exports: Exports,
}

impl ExportEndpoints for ExportFiles {
    async fn create(
        &self,
        User(caller): User,
        client: Client,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<ExportCreate>,
    ) -> Result<Queued<Export>, ProblemResponse> {
        let format = word(body.format.unwrap_or_default());
        let made = self.exports.create(caller.user_id, format, key, audit_origin(client, Some(caller.user_id))).await?;
        Ok(Queued {
            location: format!("/v2/exports/{}", made.value.id),
            replayed: made.replayed,
            body: Json(export(made.value)),
        })
    }

    async fn get(
        &self,
        User(caller): User,
        Path(Id(export_id)): Path<Id>,
        _: IfNoneMatch,
    ) -> Result<Progress<Export>, ProblemResponse> {
        let row = self.exports.get(caller.user_id, export_id).await?;
        let is_final = !matches!(row.state.as_str(), QUEUED | RUNNING);
        Ok(Progress { tag: tag(&ETag::of(&row)), is_final, body: Json(export(row)) })
    }

    async fn content(
        &self,
        User(caller): User,
        client: Client,
        accept: Accept,
        Path(Id(export_id)): Path<Id>,
    ) -> Result<ExportDownload<ExportContent>, ProblemResponse> {
        let file = self.exports.file(caller.user_id, export_id, audit_origin(client, Some(caller.user_id))).await?;
        let format = format_of(&file.export).format();
        let media_type = match format {
            Format::Json => "application/json",
            Format::Rows(rows) => rows.media_type(),
        };
        if !accept.allows(media_type) {
            let offered = format!("This export is {media_type}.");
            return Err(ApiError::new(ErrorCode::NotAcceptable).with_message(offered).into());
        }
        let file_name = format!("bucketlists-{export_id}");
        Ok(ExportDownload { format, file_name, body: body(format, file), document: PhantomData })
    }
}

const fn word(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Json => "json",
        ExportFormat::Csv => "csv",
        ExportFormat::Ndjson => "ndjson",
    }
}

fn format_of(row: &ExportRow) -> ExportFormat {
    let all = [ExportFormat::Json, ExportFormat::Csv, ExportFormat::Ndjson];
    all.into_iter().find(|format| word(*format) == row.format).unwrap_or_default()
}

fn export(row: ExportRow) -> Export {
    let format = format_of(&row);
    let state = match row.state.as_str() {
        QUEUED => ExportState::Queued,
        RUNNING => ExportState::Running,
        FINISHED => ExportState::Finished,
        _ => ExportState::Failed,
    };
    Export {
        id: Id(row.id),
        state,
        format,
        records: Nullable(row.records),
        created_at: Timestamp::from_micros(row.created_at),
        finished_at: Nullable(row.finished_at.map(Timestamp::from_micros)),
        expires_at: Timestamp::from_micros(row.expires_at),
        links: Links::Export { id: row.id, has_content: state == ExportState::Finished },
    }
}

fn record(record: Record) -> ExportRecord {
    ExportRecord {
        kind: if record.is_item { HitType::Item } else { HitType::Bucketlist },
        id: Id(record.id),
        bucketlist_id: Id(record.bucketlist_id),
        name: record.name,
        description: Nullable(record.description),
        done: Nullable(record.done),
        done_at: Nullable(record.done_at.map(Timestamp::from_micros)),
        due_on: Nullable(record.due_on.map(Date)),
        created_at: Timestamp::from_micros(record.created_at),
        updated_at: Timestamp::from_micros(record.updated_at),
    }
}

/// What comes next of a file.
enum Step {
    Begin,
    Part(i32),
    End,
}

/// The whole file, one part in memory at a time. A part that is gone breaks the stream, and the server the connection: a file
/// that ended there would look whole.
fn body(format: Format, file: ExportFile) -> Body {
    let span = Span::current();
    // NDJSON begins with its first record.
    let first = if format == Format::Rows(RowFormat::Ndjson) { Step::Part(0) } else { Step::Begin };
    Body::from_bytes_stream(stream::try_unfold((first, file), move |(step, file)| {
        let producing = async move {
            let (text, next) = match step {
                Step::Begin => (begin(format).map_err(broken)?, Step::Part(0)),
                Step::Part(number) if number < file.parts() => {
                    let records = file.part(number).await.map_err(broken)?.into_iter().map(record).collect();
                    (append(format, records, number == 0).map_err(broken)?, Step::Part(number + 1))
                }
                Step::Part(_) if format == Format::Json => (b"\n]}\n".to_vec(), Step::End),
                Step::Part(_) | Step::End => return Ok(None),
            };
            Ok::<_, io::Error>(Some((text, (next, file))))
        };
        producing.instrument(span.clone())
    }))
}

fn begin(format: Format) -> io::Result<Vec<u8>> {
    match format {
        Format::Json => Ok(b"{\"records\":[".to_vec()),
        Format::Rows(rows) => rows.begin::<ExportRecord>(),
    }
}

fn append(format: Format, records: Vec<ExportRecord>, is_first: bool) -> io::Result<Vec<u8>> {
    let rows = match format {
        Format::Rows(rows) => return rows.append(&records, Vec::new()),
        Format::Json => RowFormat::Ndjson,
    };
    // A record is a line, here too; what stands between two of them says that they are an array.
    let mut text = Vec::new();
    for (index, record) in records.iter().enumerate() {
        text.extend_from_slice(if is_first && index == 0 { b"\n" } else { b",\n" });
        text = rows.append(std::slice::from_ref(record), text)?;
        text.pop();
    }
    Ok(text)
}
