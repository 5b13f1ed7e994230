//! Incidents in the file formats of other programs. Only the identifying parts of the formats are declared.

use poem_openapi::Object;
use serde::Serialize;

/// A Postman collection (v2.1) with one request. Only some fields are documented here; see the format for the others.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PostmanCollection {
    /// Name and format of the collection.
    pub info: PostmanCollectionInfo,
    /// Requests with their tests.
    #[oai(validator(max_items = 1000))]
    pub item: Vec<PostmanRequest>,
}

example! { PostmanCollection { info: PostmanCollectionInfo::example(), item: vec![PostmanRequest::example()] } }

/// Name and format of a Postman collection.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PostmanCollectionInfo {
    /// Name of the collection.
    #[oai(validator(max_length = 200))]
    pub name: String,
    /// URL of the schema of the format.
    #[oai(validator(max_length = 200))]
    pub schema: String,
}

example! { PostmanCollectionInfo {
    name: "BucketList incident 1".into(),
    schema: "https://schema.getpostman.com/json/collection/v2.1.0/collection.json".into(),
} }

/// A request in a Postman collection.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PostmanRequest {
    /// ID of the request; the same for all incidents with the same fingerprint.
    #[oai(validator(max_length = 36))]
    pub id: String,
    /// Name that Postman displays.
    #[oai(validator(max_length = 300))]
    pub name: String,
}

example! { PostmanRequest {
    id: "88bfc2bc-6130-5cc9-8d97-d80ff1ed1830".into(), name: "incident 1: createItem → 500 INTERNAL_ERROR".into(),
} }

/// An HTTP archive with one entry. Only some fields are documented here; see HAR 1.2 for the others.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct HttpArchive {
    /// Content of the archive.
    pub log: HttpArchiveLog,
}

example! { HttpArchive { log: HttpArchiveLog::example() } }

/// Content of an HTTP archive.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct HttpArchiveLog {
    /// Version of the format.
    #[oai(validator(max_length = 10))]
    pub version: String,
    /// Entries, each with a request and its response.
    #[oai(validator(max_items = 1000))]
    pub entries: Vec<HttpArchiveEntry>,
}

example! { HttpArchiveLog { version: "1.2".into(), entries: vec![HttpArchiveEntry::example()] } }

/// A request and its response in an HTTP archive.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct HttpArchiveEntry {
    /// ID and fingerprint of the incident.
    #[oai(validator(max_length = 300))]
    pub comment: String,
}

example! { HttpArchiveEntry { comment: "incident 1: a572e864db779d218c2a1067".into() } }
