//! The sample incident, which the examples of the contract show.

use std::time::Duration;

use ::incidents::{
    CapturedBody, CapturedRequest, CapturedResponse, ContractVersion, IncidentRecord, Principal, PrincipalRole,
    fingerprint, record::FORMAT,
};
use contract::{
    documented_errors::EXAMPLE_REQUEST_ID,
    v2::schemas::{EXAMPLE_HEADERS, EXAMPLE_PLACEHOLDER, EXAMPLE_REQUEST, EXAMPLE_RESPONSE, EXAMPLE_SITE},
};
use diesel::{QueryResult, result::Error};

use crate::{
    build_info,
    db::{DbConnection, repositories::incidents},
    domain::{ApiVersion, FailureOccurrence, NewIncident, StoredRecord, Timestamp, UserId},
};

const OPERATION: &str = "createItem";
const CODE: &str = "INTERNAL_ERROR";

/// Time since the incident, so that the console shows a recent one.
const AGE: Duration = Duration::from_secs(2 * 3_600);
/// Time until the incident is deleted. Longer than that of other incidents, because the examples retrieve it.
const REMAINING: Duration = Duration::from_secs(30 * 86_400);

/// Inserts the incident. It contains no sensitive data and is not encrypted.
pub(super) fn insert(c: &mut DbConnection, demo: i64, host: &str, now: Timestamp) -> QueryResult<()> {
    let received_at = now.before(AGE);
    let record = record(demo, host, received_at.micros());
    let incident = NewIncident {
        occurrence: FailureOccurrence {
            fingerprint: record.fingerprint.clone(),
            operation: record.operation.clone(),
            status: i32::from(record.response.status),
            code: record.code.clone(),
            site: EXAMPLE_SITE.to_owned(),
            count: 1,
            last_seen_at: received_at,
        },
        user_id: Some(UserId::new(demo)),
        request_id: record.request_id.clone(),
        method: record.request.method.clone(),
        contract: Some(ApiVersion::V2),
        duration: record.duration,
        server_version: record.server_version.clone(),
        record: StoredRecord {
            key_id: None,
            bytes: serde_json::to_vec(&record).map_err(|error| Error::SerializationError(Box::new(error)))?,
        },
        received_at,
        expires_at: now + REMAINING,
    };
    let group_id = incidents::record_occurrence(c, &incident.occurrence)?;
    incidents::insert(c, group_id, &incident).map(drop)
}

fn record(demo: i64, host: &str, at: i64) -> IncidentRecord {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let header = |(name, value): &(&str, &str)| owned(&(name, if *name == "host" { host } else { value }));
    IncidentRecord {
        format: FORMAT.to_owned(),
        id: 0,
        request_id: EXAMPLE_REQUEST_ID.to_owned(),
        trace_id: None,
        received_at: at,
        duration: 1_234,
        server_version: build_info::VERSION.to_owned(),
        contract: Some(ContractVersion::V2),
        operation: Some(OPERATION.to_owned()),
        code: Some(CODE.to_owned()),
        fingerprint: fingerprint(Some(OPERATION), 500, Some(CODE), EXAMPLE_SITE),
        principal: Some(Principal { user_id: demo, session_id: Some(1), role: PrincipalRole::User, api_client: None }),
        placeholders: vec![EXAMPLE_PLACEHOLDER.to_owned()],
        request: CapturedRequest {
            method: "POST".to_owned(),
            target: "/v2/bucketlists/1/items".to_owned(),
            headers: EXAMPLE_HEADERS.iter().map(header).collect(),
            body: CapturedBody(EXAMPLE_REQUEST.as_bytes().to_vec()),
            truncated: false,
        },
        response: CapturedResponse {
            status: 500,
            headers: vec![owned(&("content-type", "application/problem+json"))],
            body: CapturedBody(EXAMPLE_RESPONSE.as_bytes().to_vec()),
            truncated: false,
        },
    }
}
