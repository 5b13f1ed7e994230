//! Export of the caller's data to a file.

use super::*;
use crate::v2::schemas::{Export, ExportContent, ExportCreate};

/// Export of the caller's data to a file.
#[endpoints(ExportRoutes, prefix_path = "/exports", tag = "Tag::Exports", operation = "Operation")]
pub trait ExportEndpoints: Send + Sync + 'static {
    /// Create an export
    ///
    /// Starts an export of all your bucketlists and items to a file. Poll `getExport` until `state` is `finished`, then
    /// download the file with `getExportContent`.
    ///
    /// The export and its file are deleted at `expires_at`, by default after one day. Only your ten newest exports are retained.
    /// Changes that you make during the export may or may not be included; entries that do not change are included exactly once.
    #[oai(path = "/", method = "post", operation_id = "createExport")]
    #[operation(returns("The queued export."), limit(OperationLimit::Exports))]
    async fn create(
        &self,
        caller: User,
        client: ClientInfo,
        idempotency_key: IdempotencyKey,
        body: Json<ExportCreate>,
    ) -> Result<AcceptedWithBody<Export>>;

    /// Retrieve export status
    ///
    /// Returns the state of an export. Until it is `finished` or `failed`, `Retry-After` contains the seconds to wait
    /// before the next request.
    #[oai(path = "/:export_id", method = "get", operation_id = "getExport")]
    #[operation(returns("The state of the export."), errors(&[ErrorCode::ExportNotFound]))]
    async fn get(
        &self,
        caller: User,
        export_id: Path<Id>,
        if_none_match: IfNoneMatch,
    ) -> Result<StatusResponse<Export>>;

    /// Download an export
    ///
    /// Returns the file of a finished export, in the format selected with `createExport`. `Accept` must include its media
    /// type.
    #[oai(path = "/:export_id/content", method = "get", operation_id = "getExportContent")]
    #[operation(returns("The exported data."), errors(&[ErrorCode::ExportNotFound, ErrorCode::ExportNotReady]))]
    async fn content(
        &self,
        caller: User,
        client: ClientInfo,
        accept: Accept,
        export_id: Path<Id>,
    ) -> Result<ExportDownload<ExportContent>>;
}
