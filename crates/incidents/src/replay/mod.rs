//! Replay: sends captured requests to a server and compares the responses with the captured ones.
//!
//! A replay writes to the server. It registers accounts unless it is given some, creates the bucketlists, items and API clients that
//! the requests refer to or are sent with, and deletes them afterwards, together with what the replayed requests have created.

mod cleanup;
mod client;
mod compare;
mod substitutions;
mod target;

use openapi_model::Operation;
use serde::Serialize;

pub use client::{Client, ClientError, ReplayResponse};
pub use compare::{Difference, differences, error_code};
pub use target::{Credentials, ReplayAccounts, ReplayError};

use super::{
    IncidentRecord,
    file::{ExpectedResponse, IncidentFile},
    resend::{ResendHeader, headers, missing_credential, not_resendable},
};
use substitutions::contract_of;
use target::TargetServer;

/// Minimum length of a placeholder that can be recognized as a part of a word.
const MIN_DISTINCT_LENGTH: usize = 4;

/// Requests that are replayed together: those of one session, in the order received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSequence {
    records: Vec<IncidentRecord>,
    /// Expected responses of a regression test.
    expect: Option<Vec<ExpectedResponse>>,
}

/// The expected result of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// The failure is reproduced: status, code and body are the captured ones, except for volatile fields such as IDs.
    Reproduced,
    /// The failure is fixed: the response is different, has a status below 500, conforms to the contract, and is not caused by
    /// placeholders.
    Fixed,
}

/// The result of replaying one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplayOutcome {
    /// ID of the incident; 0 if it is not stored.
    pub id: i64,
    pub request_id: String,
    pub operation: Option<String>,
    pub captured: ExpectedResponse,
    /// Response of the replay; `None` if the request was not sent.
    pub replayed: Option<ExpectedResponse>,
    /// Whether the request still fails in the same way.
    pub reproduced: bool,
    /// Whether the failure is fixed.
    pub fixed: bool,
    /// Whether the outcome meets the [`Expectation`], or the expected response of a regression test.
    pub as_expected: bool,
    /// Differences between the captured and the replayed response.
    pub differences: Vec<Difference>,
    /// Violations of the contract by the replayed response.
    pub contract_violations: Vec<String>,
    /// Reason why the request was not sent.
    pub not_sent: Option<String>,
    /// Response of the replay as received. It can contain sensitive data, and reports do not contain it.
    #[serde(skip)]
    pub response: Option<ReplayResponse>,
}

/// Groups records into sequences. Each list in a file is one; single records are grouped by session.
#[must_use]
pub fn group_by_session(files: Vec<IncidentFile>) -> Vec<RequestSequence> {
    let mut sequences: Vec<RequestSequence> = Vec::new();
    let mut single: Vec<IncidentRecord> = Vec::new();
    for file in files {
        match file {
            IncidentFile::RegressionTest(test) => {
                sequences.push(RequestSequence { records: test.records, expect: Some(test.expect) });
            }
            IncidentFile::Captured(records) if records.len() > 1 => {
                sequences.push(RequestSequence { records, expect: None });
            }
            IncidentFile::Captured(records) => single.extend(records),
        }
    }
    single.sort_by_key(|record| record.received_at);
    let first_grouped = sequences.len();
    for record in single {
        let session = |record: &IncidentRecord| record.principal.as_ref().and_then(|principal| principal.session_id);
        let same_session = sequences[first_grouped..].iter_mut().find(|sequence| {
            session(&record).is_some()
                && sequence.records.first().is_some_and(|first| session(first) == session(&record))
        });
        match same_session {
            Some(sequence) => sequence.records.push(record),
            None => sequences.push(RequestSequence { records: vec![record], expect: None }),
        }
    }
    sequences
}

/// A connection to the server that requests are replayed on.
#[derive(Debug)]
pub struct Replayer {
    target: TargetServer,
    expectation: Expectation,
}

impl Replayer {
    /// Checks that the server is a BucketList server.
    ///
    /// # Errors
    /// [`ReplayError`] if it cannot be reached or is another kind of server.
    pub async fn connect(
        client: Client,
        accounts: ReplayAccounts,
        expectation: Expectation,
    ) -> Result<Self, ReplayError> {
        Ok(Self { target: TargetServer::connect(client, accounts).await?, expectation })
    }

    /// Replays the sequences one after another, and deletes the resources created for each.
    ///
    /// # Errors
    /// [`ReplayError`] if the server cannot be reached, rejects a login, or cannot create what a request refers to.
    pub async fn replay(&mut self, sequences: &[RequestSequence]) -> Result<Vec<ReplayOutcome>, ReplayError> {
        let mut outcomes = Vec::new();
        for sequence in sequences {
            let result = self.replay_sequence(sequence, &mut outcomes).await;
            self.target.delete_created_resources().await;
            result?;
        }
        Ok(outcomes)
    }

    /// Deletes the API clients and the accounts that were created for the replay.
    pub async fn finish(mut self) {
        self.target.delete_api_clients_and_accounts().await;
    }

    async fn replay_sequence(
        &mut self,
        sequence: &RequestSequence,
        outcomes: &mut Vec<ReplayOutcome>,
    ) -> Result<(), ReplayError> {
        for (index, record) in sequence.records.iter().enumerate() {
            let reason = not_resendable(record).or_else(|| missing_credential(record));
            if let Some(reason) = reason.or_else(|| self.target.missing_account(record)) {
                outcomes.push(ReplayOutcome::not_sent(record, reason));
                continue;
            }
            let response = self.target.send(record).await?;
            let expected = sequence.expect.as_ref().and_then(|expect| expect.get(index));
            outcomes.push(evaluate(record, &response, expected, self.expectation));
        }
        Ok(())
    }
}

fn evaluate(
    record: &IncidentRecord,
    response: &ReplayResponse,
    expected: Option<&ExpectedResponse>,
    expectation: Expectation,
) -> ReplayOutcome {
    let differences = differences(record, response);
    let contract_violations = contract_violations(record, response);
    let replayed = ExpectedResponse { status: response.status, code: error_code(&response.body) };
    let outcome = ReplayOutcome::unsent(record);
    let reproduced = differences.is_empty();
    let fixed = response.status < 500
        && contract_violations.is_empty()
        && replayed != outcome.captured
        && !may_be_caused_by_placeholders(record, response.status);
    let as_expected = match (expected, expectation) {
        (Some(expected), Expectation::Fixed) => contract_violations.is_empty() && replayed == *expected,
        (None, Expectation::Fixed) => fixed,
        (_, Expectation::Reproduced) => reproduced,
    };
    ReplayOutcome {
        replayed: Some(replayed),
        reproduced,
        fixed,
        as_expected,
        differences,
        contract_violations,
        response: Some(response.clone()),
        ..outcome
    }
}

/// Whether a client error can have its cause in the replay instead of the server: the placeholder of a password is a wrong password.
fn may_be_caused_by_placeholders(record: &IncidentRecord, status: u16) -> bool {
    let is_rejected = |status| matches!(status, 401 | 403);
    if is_rejected(status) {
        return !is_rejected(record.response.status);
    }
    (400..500).contains(&status) && status != record.response.status && has_placeholders(record)
}

/// Whether the request contains placeholders, apart from the credential, which a replay replaces.
fn has_placeholders(record: &IncidentRecord) -> bool {
    let body = String::from_utf8_lossy(&record.request.body.0);
    let headers = headers(record).into_iter().filter_map(|header| match header {
        ResendHeader::Captured(_, value) => Some(value),
        ResendHeader::Credential(..) => None,
    });
    let texts: Vec<&str> = headers.chain([record.request.target.as_str(), &body]).collect();
    record.placeholders.iter().any(|placeholder| texts.iter().any(|text| contains_placeholder(text, placeholder)))
}

/// Whether the text contains the placeholder. Short ones and numbers are parts of other words, so they must be separate.
fn contains_placeholder(text: &str, placeholder: &str) -> bool {
    let is_distinct = placeholder.chars().count() >= MIN_DISTINCT_LENGTH && placeholder.parse::<f64>().is_err();
    let is_part_of_word = |neighbor: Option<char>| neighbor.is_some_and(|c| c.is_alphanumeric() || "_.+-".contains(c));
    text.match_indices(placeholder).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + placeholder.len()..]);
        is_distinct || !(is_part_of_word(before.chars().next_back()) || is_part_of_word(after.chars().next()))
    })
}

impl ReplayOutcome {
    /// Returns the outcome of a request that was not sent, with the reason.
    #[must_use]
    pub fn not_sent(record: &IncidentRecord, reason: String) -> Self {
        Self { not_sent: Some(reason), ..Self::unsent(record) }
    }

    fn unsent(record: &IncidentRecord) -> Self {
        Self {
            id: record.id,
            request_id: record.request_id.clone(),
            operation: record.operation.clone(),
            captured: ExpectedResponse { status: record.response.status, code: record.code.clone() },
            replayed: None,
            reproduced: false,
            fixed: false,
            as_expected: false,
            differences: Vec::new(),
            contract_violations: Vec::new(),
            not_sent: None,
            response: None,
        }
    }
}

/// Returns the operation of a captured request; `None` if the path belongs to none.
#[must_use]
pub fn operation_of(record: &IncidentRecord) -> Option<&'static Operation> {
    let path = record.request.target.split('?').next().unwrap_or_default();
    contract_of(path).find(path)?.item.operation(&record.request.method)
}

/// Returns the violations of the contract by a response; none if the path belongs to no operation.
fn contract_violations(record: &IncidentRecord, response: &ReplayResponse) -> Vec<String> {
    let method = &record.request.method;
    let Some(operation) = operation_of(record) else { return Vec::new() };
    if operation.method == *method {
        operation.check_response(response.status, &response.headers, &response.body)
    } else if operation.statuses().any(|status| status == response.status) {
        Vec::new()
    } else {
        vec![format!("status {} is not documented for {}", response.status, operation.id)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CapturedBody, CapturedRequest, CapturedResponse, Principal, PrincipalRole, record::FORMAT};

    fn record(id: i64, session: Option<i64>, received_at: i64) -> IncidentRecord {
        IncidentRecord {
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
            principal: session.map(|session_id| Principal {
                user_id: 1,
                session_id: Some(session_id),
                role: PrincipalRole::User,
                api_client: None,
            }),
            placeholders: Vec::new(),
            request: CapturedRequest {
                method: "GET".to_owned(),
                target: "/v2/users/me".to_owned(),
                headers: Vec::new(),
                body: CapturedBody::default(),
                truncated: false,
            },
            response: CapturedResponse {
                status: 500,
                headers: Vec::new(),
                body: CapturedBody::default(),
                truncated: false,
            },
        }
    }

    #[test]
    fn single_records_are_grouped_by_session_in_the_order_received() {
        let single = |record| IncidentFile::Captured(vec![record]);
        let sequences = group_by_session(vec![
            single(record(1, Some(5), 30)),
            single(record(2, None, 10)),
            single(record(3, Some(5), 20)),
            single(record(4, None, 40)),
            IncidentFile::Captured(vec![record(5, Some(5), 2), record(6, Some(6), 1)]),
        ]);
        let ids: Vec<Vec<i64>> =
            sequences.iter().map(|sequence| sequence.records.iter().map(|record| record.id).collect()).collect();
        assert_eq!(ids, [vec![5, 6], vec![2], vec![3, 1], vec![4]]);
    }

    #[test]
    fn client_error_because_of_placeholders_is_not_a_fix() {
        // The path belongs to no operation, so that the contract has no rules for the response.
        let failed = |request_body: &str, placeholders: &[&str]| {
            let mut record = record(1, Some(5), 0);
            record.request.target = "/nowhere".to_owned();
            record.request.body = CapturedBody(request_body.as_bytes().to_vec());
            record.placeholders = placeholders.iter().map(|&placeholder| placeholder.to_owned()).collect();
            record
        };
        let is_fixed = |record: &IncidentRecord, status: u16| {
            let response = ReplayResponse { status, headers: Vec::new(), body: br#"{"code":"X"}"#.to_vec() };
            evaluate(record, &response, None, Expectation::Fixed).fixed
        };
        let body = r#"{"password":"qmwz-kdhe"}"#;
        // Without placeholders, a validation error in place of an internal error is a fix.
        assert!(is_fixed(&failed(body, &[]), 422) && is_fixed(&failed(body, &[]), 201));
        // A replay can be rejected for reasons that the captured request did not have.
        assert!(!is_fixed(&failed(body, &[]), 401) && !is_fixed(&failed(body, &[]), 403));
        // The placeholder of a password is a wrong password.
        assert!(!is_fixed(&failed(body, &["qmwz-kdhe"]), 422) && is_fixed(&failed(body, &["qmwz-kdhe"]), 201));
        let mut rejected = failed(body, &["qmwz-kdhe"]);
        rejected.response.status = 403;
        assert!(is_fixed(&rejected, 401) && !is_fixed(&rejected, 422));
        // The credential of the replay is not a placeholder.
        let mut authenticated = failed("{}", &["qmwz.kdhe"]);
        authenticated.request.headers = vec![("authorization".to_owned(), "Bearer qmwz.kdhe".to_owned())];
        assert!(is_fixed(&authenticated, 404));
        authenticated.principal = None;
        assert!(!is_fixed(&authenticated, 404));
        // Numbers and short texts are placeholders only as separate values.
        let unrelated = failed(r#"{"name":"Route 66","year":2001}"#, &["6", "1", "ute"]);
        assert!(is_fixed(&unrelated, 404) && !is_fixed(&failed(r#"{"nme":6}"#, &["6"]), 404));
    }

    #[test]
    fn request_for_a_capture_is_not_sent_again() {
        let mut record = record(1, None, 0);
        record.request.headers =
            ["accept", "X-Debug-Capture", "x-fault"].map(|name| (name.to_owned(), "1".to_owned())).to_vec();
        let names: Vec<&str> = headers(&record).iter().map(ResendHeader::name).collect();
        assert_eq!(names, ["accept", "x-fault"]);
    }

    #[test]
    fn success_that_violates_the_contract_is_not_a_fix() {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let response = ReplayResponse { status: 200, headers, body: b"{}".to_vec() };
        let outcome = evaluate(&record(1, None, 0), &response, None, Expectation::Fixed);
        assert!(!outcome.contract_violations.is_empty() && !outcome.fixed && !outcome.as_expected);
        let mut undocumented = record(1, None, 0);
        undocumented.request.target = "/nowhere".to_owned();
        assert!(contract_violations(&undocumented, &response).is_empty());
    }
}
