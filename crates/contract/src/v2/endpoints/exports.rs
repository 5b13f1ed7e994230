//! Everything of the caller's as one file.

use endpoints::endpoints;
use poem_openapi::param::Path;

use super::Tag;
use crate::{
    ErrorCode, Json, Operation, User,
    caller::Client,
    negotiation::Accept,
    operation::Limit,
    v2::{
        IdempotencyKey, IfNoneMatch, ProblemResponse,
        long_running::{ExportDownload, Progress, Queued},
        schemas::{Export, ExportContent, ExportCreate},
    },
    values::Id,
};

/// Everything of the caller's as one file.
#[endpoints(ExportRoutes, prefix_path = "/exports", tag = "Tag::Exports", operation = "Operation")]
pub trait ExportEndpoints: Send + Sync + 'static {
    /// Export everything of yours.
    ///
    /// Makes a file of all your bucketlists and items, after the answer: fetch the export until its `state` is `finished`, then
    /// its content. It is deleted at `expires_at`, a day later unless the operator
    /// keeps it for longer, and when ten newer ones are there. What you change while it is being made may
    /// be in it or not; whatever stays as it is is in it once.
    #[oai(path = "/", method = "post", operation_id = "createExport")]
    #[operation(idempotent(), limit(Limit::Exports))]
    async fn create(
        &self,
        caller: User,
        client: Client,
        /// A name of your choice for this creation: the answer is kept for 24 hours and given again.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: Json<ExportCreate>,
    ) -> Result<Queued<Export>, ProblemResponse>;

    /// Fetch an export.
    ///
    /// How far it is. Until it is `finished` or `failed`, `Retry-After` says when to ask again.
    #[oai(path = "/:export_id", method = "get", operation_id = "getExport")]
    #[operation(errors(&[ErrorCode::ExportNotFound, ErrorCode::InvalidHeader]))]
    async fn get(
        &self,
        caller: User,
        /// The export.
        export_id: Path<Id>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<Progress<Export>, ProblemResponse>;

    /// Download an export.
    ///
    /// The file, in the format it was asked for: what `Accept` says must allow that one.
    #[oai(path = "/:export_id/content", method = "get", operation_id = "getExportContent")]
    #[operation(errors(&[ErrorCode::ExportNotFound, ErrorCode::ExportNotReady]))]
    async fn content(
        &self,
        caller: User,
        client: Client,
        accept: Accept,
        /// The export.
        export_id: Path<Id>,
    ) -> Result<ExportDownload<ExportContent>, ProblemResponse>;
}
