//! An incident for the standard seed: the one that the contract shows as its example.

use ::incidents::{Bytes, Principal, Record, Reply, Sent, fingerprint, record::FORMAT};
use contract::{
    rules::EXAMPLE_REQUEST_ID,
    v2::schemas::{EXAMPLE_EXPIRY, EXAMPLE_HEADERS, EXAMPLE_REQUEST, EXAMPLE_RESPONSE, EXAMPLE_SITE},
};
use diesel::{QueryResult, result::Error};

use crate::{
    build_info,
    db::{
        DbConnection,
        repositories::incidents::{self, NewIncident, Occurrence},
    },
};

const OPERATION: &str = "createItem";
const CODE: &str = "INTERNAL_ERROR";

/// Adds it. It has no secret in it, so it lies open whatever the key is.
pub(super) fn insert(c: &mut DbConnection, demo: i64, at: i64) -> QueryResult<()> {
    let record = record(demo, at);
    let occurrence = Occurrence {
        fingerprint: record.fingerprint.clone(),
        operation: record.operation.clone(),
        status: i32::from(record.response.status),
        code: record.code.clone(),
        site: EXAMPLE_SITE.to_owned(),
        count: 1,
        at,
    };
    let group_id = incidents::count(c, &occurrence)?;
    let incident = NewIncident {
        group_id,
        user_id: Some(demo),
        request_id: record.request_id.clone(),
        method: record.request.method.clone(),
        contract: record.contract.clone(),
        duration: record.duration,
        server_version: record.server_version.clone(),
        key_id: None,
        record: serde_json::to_vec(&record).map_err(|error| Error::SerializationError(Box::new(error)))?,
        created_at: at,
        expires_at: EXAMPLE_EXPIRY,
    };
    incidents::insert(c, incident).map(drop)
}

fn record(demo: i64, at: i64) -> Record {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Record {
        format: FORMAT.to_owned(),
        id: 0,
        request_id: EXAMPLE_REQUEST_ID.to_owned(),
        trace_id: None,
        received_at: at,
        duration: 1_234,
        server_version: build_info::VERSION.to_owned(),
        contract: Some("v2".to_owned()),
        operation: Some(OPERATION.to_owned()),
        code: Some(CODE.to_owned()),
        fingerprint: fingerprint(Some(OPERATION), 500, Some(CODE), EXAMPLE_SITE),
        principal: Some(Principal { user_id: demo, session_id: 1, role: "user".to_owned() }),
        request: Sent {
            method: "POST".to_owned(),
            target: "/v2/bucketlists/1/items".to_owned(),
            headers: EXAMPLE_HEADERS.iter().map(owned).collect(),
            body: Bytes(EXAMPLE_REQUEST.as_bytes().to_vec()),
            truncated: false,
        },
        response: Reply {
            status: 500,
            headers: vec![owned(&("content-type", "application/problem+json"))],
            body: Bytes(EXAMPLE_RESPONSE.as_bytes().to_vec()),
            truncated: false,
        },
    }
}
