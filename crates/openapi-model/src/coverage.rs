//! What has been seen of a document: which of its answers somebody has really got.
//!
//! Owns the record, one line for each answer that was seen: method, path template, status and media type. Must not know
//! who writes it or how a matrix is shown.

use std::collections::HashMap;

use crate::{CompiledDocument, Operation};

/// How often each answer was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    seen: HashMap<String, usize>,
}

/// An answer that a document promises, and how often it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered<'c> {
    /// The status.
    pub status: u16,
    /// The media type without its parameters; `None` for an answer without a body.
    pub media_type: Option<&'c str>,
    /// How often it was seen.
    pub times: usize,
}

impl Coverage {
    /// The line of the record that stands for one answer: `GET /v1/bucketlists 200 application/json`, with `-` in the
    /// place of the media type where there is no body.
    #[must_use]
    pub fn record_line(operation: &Operation, status: u16, media_type: Option<&str>) -> String {
        let media_type =
            media_type.map_or("-".to_owned(), |media_type| crate::traverse::essence(media_type).to_lowercase());
        format!("{} {} {status} {media_type}", operation.method, operation.path)
    }

    /// Reads a record: lines in any order, each as often as its answer was seen.
    #[must_use]
    pub fn read(record: &str) -> Self {
        let mut seen = HashMap::new();
        for line in record.lines().filter(|line| !line.is_empty()) {
            *seen.entry(line.to_owned()).or_default() += 1;
        }
        Self { seen }
    }

    /// Whether nothing was seen at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Every answer that the document promises of an operation, in its order.
    pub fn of<'c>(&self, operation: &'c Operation) -> impl Iterator<Item = Covered<'c>> {
        operation.answers().map(|(status, media_type)| {
            let times = self.seen.get(&Self::record_line(operation, status, media_type)).copied().unwrap_or_default();
            Covered { status, media_type, times }
        })
    }

    /// The lines of the record that are answers of none of these documents, sorted: it was made for other ones.
    #[must_use]
    pub fn unknown(&self, contracts: &[&CompiledDocument]) -> Vec<&str> {
        let operations = contracts.iter().flat_map(|contract| contract.operations());
        let known: std::collections::HashSet<String> = operations
            .flat_map(|operation| {
                operation.answers().map(|(status, media_type)| Self::record_line(operation, status, media_type))
            })
            .collect();
        let mut unknown: Vec<&str> =
            self.seen.keys().map(String::as_str).filter(|line| !known.contains(*line)).collect();
        unknown.sort_unstable();
        unknown
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::fixture;

    #[test]
    fn what_was_seen_is_counted_and_what_was_not_is_zero() {
        let contract = fixture::contract();
        let delete = contract.operations().find(|operation| operation.id == "deleteBucketlist").unwrap();
        let gone = Coverage::record_line(delete, 204, None);
        assert_eq!(gone, "DELETE /v1/bucketlists/{bucketlist_id} 204 -");
        let missing = Coverage::record_line(delete, 404, Some("Application/JSON; charset=utf-8"));
        assert_eq!(missing, "DELETE /v1/bucketlists/{bucketlist_id} 404 application/json");

        let coverage = Coverage::read(&format!("{gone}\n{missing}\n\n{gone}\n"));
        let seen: Vec<Covered<'_>> = coverage.of(delete).collect();
        let times = |status: u16| seen.iter().find(|one| one.status == status).unwrap().times;
        assert_eq!((times(204), times(404), times(401)), (2, 1, 0));
        assert_eq!(seen.iter().find(|one| one.status == 204).unwrap().media_type, None);
        assert_eq!(seen.iter().find(|one| one.status == 401).unwrap().media_type, Some("application/json"));
        assert!(coverage.unknown(&[&contract]).is_empty());
    }

    #[test]
    fn every_media_type_is_an_answer_of_its_own() {
        let mut value = fixture::document().value().clone();
        value["paths"]["/bucketlists"]["get"]["responses"]["200"]["content"]["text/csv"] =
            serde_json::json!({"schema": {"type": "string"}, "example": "id"});
        let document = crate::Document::from_json(&value.to_string()).unwrap();
        let contract = CompiledDocument::compile(&document).unwrap();
        let list = contract.operations().find(|operation| operation.id == "listBucketlists").unwrap();
        let coverage = Coverage::read("GET /v1/bucketlists 200 text/csv");
        let successes: Vec<(Option<&str>, usize)> =
            coverage.of(list).filter(|one| one.status == 200).map(|one| (one.media_type, one.times)).collect();
        assert_eq!(successes, [(Some("application/json"), 0), (Some("text/csv"), 1)]);
    }

    #[test]
    fn a_record_of_another_document_is_noticed() {
        let contract = fixture::contract();
        let coverage = Coverage::read("GET /v1/trips 200 application/json\nGET /v1/bucketlists 299 -\nnonsense");
        let unknown = ["GET /v1/bucketlists 299 -", "GET /v1/trips 200 application/json", "nonsense"];
        assert_eq!(coverage.unknown(&[&contract]), unknown);
        assert!(Coverage::read("\n").is_empty() && !coverage.is_empty());
    }
}
