//! Incidents as the files of other programs. Only what tells such a file is declared; the rest is their format's.

use poem_openapi::{Object, types::Example};
use serde::Serialize;

/// A Postman collection (v2.1) with one request, and what else the format has.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PostmanCollection {
    /// What it is.
    pub info: PostmanCollectionInfo,
    /// Its requests, with their tests.
    #[oai(validator(max_items = 1000))]
    pub item: Vec<PostmanRequest>,
}

impl Example for PostmanCollection {
    fn example() -> Self {
        Self { info: PostmanCollectionInfo::example(), item: vec![PostmanRequest::example()] }
    }
}

/// What a Postman collection is.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PostmanCollectionInfo {
    /// Its name.
    #[oai(validator(max_length = 200))]
    pub name: String,
    /// The format's own address.
    #[oai(validator(max_length = 200))]
    pub schema: String,
}

impl Example for PostmanCollectionInfo {
    fn example() -> Self {
        Self {
            name: "BucketList incident 1".into(),
            schema: "https://schema.getpostman.com/json/collection/v2.1.0/collection.json".into(),
        }
    }
}

/// A request in a Postman collection.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PostmanRequest {
    /// Identifies it: the same for the same failure.
    #[oai(validator(max_length = 36))]
    pub id: String,
    /// Its name.
    #[oai(validator(max_length = 300))]
    pub name: String,
}

impl Example for PostmanRequest {
    fn example() -> Self {
        Self {
            id: "88bfc2bc-6130-5cc9-8d97-d80ff1ed1830".into(),
            name: "incident 1: createItem → 500 INTERNAL_ERROR".into(),
        }
    }
}

/// An HTTP archive (HAR 1.2) with one exchange, and what else the format has.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct HttpArchive {
    /// All of it.
    pub log: HttpArchiveLog,
}

impl Example for HttpArchive {
    fn example() -> Self {
        Self { log: HttpArchiveLog::example() }
    }
}

/// What is in an HTTP archive.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct HttpArchiveLog {
    /// The version of the format.
    #[oai(validator(max_length = 10))]
    pub version: String,
    /// The exchanges: request and answer.
    #[oai(validator(max_items = 1000))]
    pub entries: Vec<HttpArchiveEntry>,
}

impl Example for HttpArchiveLog {
    fn example() -> Self {
        Self { version: "1.2".into(), entries: vec![HttpArchiveEntry::example()] }
    }
}

/// A request and its answer in an HTTP archive.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct HttpArchiveEntry {
    /// Which incident it is.
    #[oai(validator(max_length = 300))]
    pub comment: String,
}

impl Example for HttpArchiveEntry {
    fn example() -> Self {
        Self { comment: "incident 1: a572e864db779d218c2a1067".into() }
    }
}
