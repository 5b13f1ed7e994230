//! Replays of incidents on configured servers, for administrators.
//!
//! The server of a replay comes from the configuration, never from a request: a client cannot make this server send requests to another one.

use std::{sync::Arc, time::Duration};

use ::incidents::{
    IncidentRecord,
    file::IncidentFile,
    replay::{Client, Expectation, ReplayAccounts, ReplayError, ReplayOutcome, Replayer, group_by_session},
};
use tokio::{sync::Semaphore, time::timeout};

use super::{Error, Incidents};
use crate::domain::{AuditAction, AuditOrigin, IncidentId, NewAuditEvent};

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

/// Replays incidents.
#[derive(Clone)]
pub struct Replays {
    incidents: Incidents,
    targets: Arc<[ReplayTarget]>,
    running: Arc<Semaphore>,
}

impl Replays {
    pub(super) fn new(incidents: Incidents, targets: Vec<ReplayTarget>) -> Self {
        Self { incidents, targets: targets.into(), running: Arc::new(Semaphore::new(MAX_RUNNING)) }
    }

    /// Returns the configured servers.
    #[must_use]
    pub fn targets(&self) -> &[ReplayTarget] {
        &self.targets
    }

    /// Returns the server with this name.
    #[must_use]
    pub fn find_target(&self, name: &str) -> Option<&ReplayTarget> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// Sends the request of an incident to a server, and compares the responses. Writes an audit event before. A replay that is not
    /// possible is an outcome with the reason.
    ///
    /// # Errors
    /// `NotFound(Incident)`, also if it has expired; `Conflict(IncidentKeyMissing)`.
    pub async fn replay(
        &self,
        id: IncidentId,
        target: &ReplayTarget,
        origin: AuditOrigin,
    ) -> Result<ReplayOutcome, Error> {
        let event = NewAuditEvent::on_incident(AuditAction::IncidentReplayed, id).with("target", &target.name);
        let (_, record) = self.incidents.read(id, event, origin).await?;
        let (target, running) = (target.clone(), Arc::clone(&self.running));
        // A task, so that it deletes what it has created even if the client disconnects.
        let task = tokio::spawn(async move { run(&record, &target, &running).await });
        task.await.map_err(|error| Error::Internal(Box::new(error)))
    }
}

/// Replays a record within the time limits.
async fn run(record: &IncidentRecord, target: &ReplayTarget, running: &Semaphore) -> ReplayOutcome {
    let mut replayer = None;
    let replayed = timeout(REPLAY_TIMEOUT, async {
        let _permit = running.acquire().await;
        let client = Client::new(&target.url)?;
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
