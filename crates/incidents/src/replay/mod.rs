//! Sends captured requests again, to another server or a later version, and tells what has become of the failure.
//!
//! Owns who stands for whom and what a flow needs before it can run. A replay writes: it makes lists and items for requests
//! that are about some, accounts where it is given none, and takes away again what it has made.

mod client;
mod compare;
mod names;
mod stage;

use serde::Serialize;

pub use client::{Answer, Client, ClientError};
pub use compare::{Difference, code, differences};
pub use stage::{Accounts, Login, StageError};

use super::{
    Record,
    file::{Expected, Incidents},
    resend::obstacle,
};
use names::contract_of;
use stage::Stage;

/// Requests that belong together: those of one session, in the order they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    records: Vec<Record>,
    /// What each must be answered, where that is settled.
    expect: Option<Vec<Expected>>,
}

/// What is asked of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Does it still fail as it did? Status, code and body are the captured ones, apart from what is of one answer alone.
    Reproduces,
    /// Is it mended? The answer is another one, below 500, and as the document says.
    Fixed,
}

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The incident's number; 0 if it has none.
    pub id: i64,
    pub request_id: String,
    pub operation: Option<String>,
    pub captured: Expected,
    /// `None` where it could not be sent.
    pub now: Option<Expected>,
    /// It fails as it did.
    pub reproduced: bool,
    /// It is mended.
    pub fixed: bool,
    /// The answer to the question that was asked.
    pub as_asked: bool,
    /// In what the answer differs from the captured one.
    pub differences: Vec<Difference>,
    /// In what the answer is not as the document says.
    pub undocumented: Vec<String>,
    /// Why it could not be sent.
    pub obstacle: Option<String>,
}

/// Flows out of what was read: a list in a file is one, and single records of one session are one.
#[must_use]
pub fn flows(incidents: Vec<Incidents>) -> Vec<Flow> {
    let mut flows: Vec<Flow> = Vec::new();
    let mut single: Vec<Record> = Vec::new();
    for part in incidents {
        match part {
            Incidents::Kept(kept) => flows.push(Flow { records: kept.records, expect: Some(kept.expect) }),
            Incidents::Captured(records) if records.len() > 1 => flows.push(Flow { records, expect: None }),
            Incidents::Captured(records) => single.extend(records),
        }
    }
    single.sort_by_key(|record| record.received_at);
    let own = flows.len();
    for record in single {
        let session = |record: &Record| record.principal.as_ref().map(|principal| principal.session_id);
        let same = flows[own..].iter_mut().find(|flow| {
            session(&record).is_some() && flow.records.first().is_some_and(|first| session(first) == session(&record))
        });
        match same {
            Some(flow) => flow.records.push(record),
            None => flows.push(Flow { records: vec![record], expect: None }),
        }
    }
    flows
}

/// Replays flows, one after the other.
///
/// # Errors
/// When the server cannot be reached, is none of ours, or lets nobody in: nothing has been decided then.
pub async fn replay(
    client: Client,
    accounts: Accounts,
    flows: &[Flow],
    question: Question,
) -> Result<Vec<Outcome>, StageError> {
    let mut stage = Stage::of(client, accounts).await?;
    let mut outcomes = Vec::new();
    for flow in flows {
        let played = play(&mut stage, flow, question, &mut outcomes).await;
        // Whatever happened: what was made is taken away.
        stage.strike().await;
        played?;
    }
    stage.leave().await;
    Ok(outcomes)
}

async fn play(
    stage: &mut Stage,
    flow: &Flow,
    question: Question,
    outcomes: &mut Vec<Outcome>,
) -> Result<(), StageError> {
    for (index, record) in flow.records.iter().enumerate() {
        if let Some(obstacle) = obstacle(record) {
            outcomes.push(Outcome { obstacle: Some(obstacle), ..Outcome::of(record) });
            continue;
        }
        let answer = stage.send(record).await?;
        let differences = differences(record, &answer);
        let undocumented = undocumented(record, &answer);
        let now = Expected { status: answer.status, code: code(&answer.body) };
        let captured = Outcome::of(record).captured;
        let reproduced = differences.is_empty();
        let fixed = answer.status < 500 && undocumented.is_empty() && now != captured;
        let settled = flow.expect.as_ref().and_then(|expect| expect.get(index));
        let as_asked = match (settled, question) {
            (Some(expected), Question::Fixed) => undocumented.is_empty() && now == *expected,
            (None, Question::Fixed) => fixed,
            (_, Question::Reproduces) => reproduced,
        };
        outcomes.push(Outcome {
            now: Some(now),
            reproduced,
            fixed,
            as_asked,
            differences,
            undocumented,
            ..Outcome::of(record)
        });
    }
    Ok(())
}

impl Outcome {
    fn of(record: &Record) -> Self {
        Self {
            id: record.id,
            request_id: record.request_id.clone(),
            operation: record.operation.clone(),
            captured: Expected { status: record.response.status, code: record.code.clone() },
            now: None,
            reproduced: false,
            fixed: false,
            as_asked: false,
            differences: Vec::new(),
            undocumented: Vec::new(),
            obstacle: None,
        }
    }
}

/// In what an answer is not as the document of its version says. What no document speaks of is not held to one.
fn undocumented(record: &Record, answer: &Answer) -> Vec<String> {
    let path = record.request.target.split('?').next().unwrap_or_default();
    let method = &record.request.method;
    let Some(found) = contract_of(path).find(path) else { return Vec::new() };
    let Some(operation) = found.item.operation(method) else { return Vec::new() };
    if operation.method == *method {
        operation.check_response(answer.status, &answer.headers, &answer.body)
    } else if operation.statuses().any(|status| status == answer.status) {
        Vec::new()
    } else {
        vec![format!("status {} is not documented for {}", answer.status, operation.id)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bytes, Principal, Reply, Sent, record::FORMAT};

    fn record(id: i64, session: Option<i64>, received_at: i64) -> Record {
        Record {
            format: FORMAT.to_owned(),
            id,
            request_id: id.to_string(),
            trace_id: None,
            received_at,
            duration: 0,
            server_version: String::new(),
            contract: None,
            operation: None,
            code: None,
            fingerprint: String::new(),
            principal: session.map(|session_id| Principal { user_id: 1, session_id, role: "user".to_owned() }),
            request: Sent {
                method: "GET".to_owned(),
                target: "/v2/users/me".to_owned(),
                headers: Vec::new(),
                body: Bytes::default(),
                truncated: false,
            },
            response: Reply { status: 500, headers: Vec::new(), body: Bytes::default(), truncated: false },
        }
    }

    #[test]
    fn requests_of_a_session_are_a_flow_in_the_order_they_came() {
        let one = |record| Incidents::Captured(vec![record]);
        let flows = flows(vec![
            one(record(1, Some(5), 30)),
            one(record(2, None, 10)),
            one(record(3, Some(5), 20)),
            one(record(4, None, 40)),
            Incidents::Captured(vec![record(5, Some(5), 2), record(6, Some(6), 1)]),
        ]);
        let ids: Vec<Vec<i64>> =
            flows.iter().map(|flow| flow.records.iter().map(|record| record.id).collect()).collect();
        assert_eq!(ids, [vec![5, 6], vec![2], vec![3, 1], vec![4]]);
    }

    #[test]
    fn a_success_that_is_not_as_documented_mends_nothing() {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let answer = Answer { status: 200, headers, body: b"{}".to_vec() };
        assert!(!undocumented(&record(1, None, 0), &answer).is_empty());
        let mut elsewhere = record(1, None, 0);
        elsewhere.request.target = "/nowhere".to_owned();
        assert!(undocumented(&elsewhere, &answer).is_empty());
    }
}
