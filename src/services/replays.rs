//! Replays of incidents on configured servers, for administrators.
//!
//! The server of a replay comes from the configuration, never from a request: a client cannot make this server send requests to another one.

use std::{sync::Arc, time::Duration};

use ::incidents::{
    CapturedBody, IncidentRecord, Redactor,
    file::IncidentFile,
    replay::{
        Client, Expectation, ReplayAccounts, ReplayError, ReplayOutcome, ReplayResponse, Replayer, group_by_session,
        operation_of,
    },
};
use tokio::{sync::Semaphore, time::timeout};

use super::{Error, Incidents};
use crate::{
    auth::{REPLAY_SIGNATURE_HEADER, ReplaySignatures},
    domain::{AuditAction, AuditOrigin, IncidentId, NewAuditEvent},
};

/// Maximum time of a replay, and of the deletion of what it has created. Together they are shorter than the default of `REQUEST_TIMEOUT`.
const REPLAY_TIMEOUT: Duration = Duration::from_secs(15);
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(10);
/// Number of replays that run at the same time. Further ones wait within their timeout.
const MAX_RUNNING: usize = 2;

/// A server that incidents can be replayed on.
#[derive(Clone, Debug)]
pub struct ReplayTarget {
    pub name: String,
    pub url: String,
    pub accounts: ReplayAccounts,
}

/// What replays need besides incidents.
#[derive(Clone)]
pub struct ReplaySettings {
    pub targets: Arc<[ReplayTarget]>,
    pub signatures: ReplaySignatures,
    /// Masks the responses of replays.
    pub redactor: Redactor,
    /// Maximum size of the body of such a response.
    pub body_bytes: usize,
}

/// Replays incidents.
#[derive(Clone)]
pub struct Replays {
    incidents: Incidents,
    settings: ReplaySettings,
    running: Arc<Semaphore>,
}

/// The outcome of a replay, and its response with masked data.
#[derive(Debug)]
pub struct Replay {
    pub outcome: ReplayOutcome,
    /// `None` if the request was not sent.
    pub response: Option<ReplayedResponse>,
}

/// A response of a replay.
#[derive(Debug)]
pub struct ReplayedResponse {
    pub request_id: Option<String>,
    pub body: CapturedBody,
    pub is_truncated: bool,
}

impl Replays {
    pub(super) fn new(incidents: Incidents, settings: ReplaySettings) -> Self {
        Self { incidents, settings, running: Arc::new(Semaphore::new(MAX_RUNNING)) }
    }

    /// Returns the configured servers.
    #[must_use]
    pub fn targets(&self) -> &[ReplayTarget] {
        &self.settings.targets
    }

    /// Returns the server with this name.
    #[must_use]
    pub fn find_target(&self, name: &str) -> Option<&ReplayTarget> {
        self.settings.targets.iter().find(|target| target.name == name)
    }

    /// Sends the request of an incident to a server, and compares the responses. Writes an audit event before. A replay that is not
    /// possible is an outcome with the reason.
    ///
    /// # Errors
    /// `NotFound(Incident)`, also if it has expired; `Conflict(IncidentKeyMissing)`.
    pub async fn replay(&self, id: IncidentId, target: &ReplayTarget, origin: AuditOrigin) -> Result<Replay, Error> {
        let event = NewAuditEvent::on_incident(AuditAction::IncidentReplayed, id).with("target", &target.name);
        let (_, record) = self.incidents.read(id, event, origin).await?;
        let (target, running, settings) = (target.clone(), Arc::clone(&self.running), self.settings.clone());
        // A task, so that it deletes what it has created even if the client disconnects.
        let task = tokio::spawn(async move {
            let mut outcome = run(&record, &target, &running, &settings.signatures).await;
            let response = outcome.response.take().map(|response| masked(&response, &record, &settings));
            Replay { outcome, response }
        });
        task.await.map_err(|error| Error::Internal(Box::new(error)))
    }
}

/// Masks the response of a replay, and truncates its body.
fn masked(response: &ReplayResponse, record: &IncidentRecord, settings: &ReplaySettings) -> ReplayedResponse {
    let mut body = settings.redactor.redact_response(operation_of(record), response.status, &response.body);
    let is_truncated = body.len() > settings.body_bytes;
    if is_truncated {
        // Not within a character: text remains text.
        let end = (0..=settings.body_bytes).rev().find(|at| body.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80));
        body.truncate(end.unwrap_or_default());
    }
    let request_id = response.header("x-request-id").map(str::to_owned);
    ReplayedResponse { request_id, body: CapturedBody(body), is_truncated }
}

/// Replays a record within the time limits.
async fn run(
    record: &IncidentRecord,
    target: &ReplayTarget,
    running: &Semaphore,
    signatures: &ReplaySignatures,
) -> ReplayOutcome {
    let mut replayer = None;
    let replayed = timeout(REPLAY_TIMEOUT, async {
        let _permit = running.acquire().await;
        // A server of this deployment then neither captures the requests nor sends mail about the accounts.
        let client = Client::new(&target.url)?.with_header(REPLAY_SIGNATURE_HEADER, &signatures.issue());
        let connected = Replayer::connect(client, target.accounts.clone(), Expectation::Reproduced).await?;
        let sequences = group_by_session(vec![IncidentFile::Captured(vec![record.clone()])]);
        replayer.insert(connected).replay(&sequences).await
    })
    .await;
    if let Some(replayer) = replayer {
        // If the time is not enough, the accounts remain. Their passwords are random and not stored.
        let _ = timeout(CLEANUP_TIMEOUT, replayer.finish()).await;
    }
    let reason = match replayed {
        Ok(Ok(outcomes)) => match outcomes.into_iter().next() {
            Some(outcome) => return outcome,
            None => "the replay has no outcome".to_owned(),
        },
        Ok(Err(ReplayError::AdminAccountRequired { .. })) => format!(
            "the request was sent by an administrator, and REPLAY_TARGETS contains no administrator of {}",
            target.name
        ),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("{} did not finish the replay within {} seconds", target.name, REPLAY_TIMEOUT.as_secs()),
    };
    ReplayOutcome::not_sent(record, reason)
}
