//! Coverage of a document: which of its documented responses were observed.
//!
//! A record has one line for each observed response: method, path template, status and media type.

use std::collections::HashMap;

use crate::{CompiledDocument, Operation};

/// The number of observations of each response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    seen: HashMap<String, usize>,
}

/// A documented response and the number of its observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered<'c> {
    /// The status.
    pub status: u16,
    /// The media type without parameters; `None` for a response without a body.
    pub media_type: Option<&'c str>,
    /// The number of observations.
    pub times: usize,
}

impl Coverage {
    /// Returns the line of the record for a response, such as `GET /v1/lists 200 application/json`. The media type of a
    /// response without a body is `-`.
    #[must_use]
    pub fn record_line(operation: &Operation, status: u16, media_type: Option<&str>) -> String {
        let media_type =
            media_type.map_or("-".to_owned(), |media_type| crate::traverse::essence(media_type).to_lowercase());
        format!("{} {} {status} {media_type}", operation.method, operation.path)
    }

    /// Parses a record. Lines are in any order, one for each observation.
    #[must_use]
    pub fn read(record: &str) -> Self {
        let mut seen = HashMap::new();
        for line in record.lines().filter(|line| !line.is_empty()) {
            *seen.entry(line.to_owned()).or_default() += 1;
        }
        Self { seen }
    }

    /// Returns whether the record is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Returns the documented responses of an operation in document order.
    pub fn of<'c>(&self, operation: &'c Operation) -> impl Iterator<Item = Covered<'c>> {
        operation.documented_responses().map(|(status, media_type)| {
            let times = self.seen.get(&Self::record_line(operation, status, media_type)).copied().unwrap_or_default();
            Covered { status, media_type, times }
        })
    }

    /// Returns the lines that match no response of these documents, sorted.
    #[must_use]
    pub fn unknown(&self, contracts: &[&CompiledDocument]) -> Vec<&str> {
        let operations = contracts.iter().flat_map(|contract| contract.operations());
        let known: std::collections::HashSet<String> = operations
            .flat_map(|operation| {
                operation
                    .documented_responses()
                    .map(|(status, media_type)| Self::record_line(operation, status, media_type))
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
    fn observations_are_counted() {
        let contract = fixture::contract();
        let delete = contract.operations().find(|operation| operation.id == "deleteProject").unwrap();
        let gone = Coverage::record_line(delete, 204, None);
        assert_eq!(gone, "DELETE /v1/projects/{project_id} 204 -");
        let missing = Coverage::record_line(delete, 404, Some("Application/JSON; charset=utf-8"));
        assert_eq!(missing, "DELETE /v1/projects/{project_id} 404 application/json");

        let coverage = Coverage::read(&format!("{gone}\n{missing}\n\n{gone}\n"));
        let seen: Vec<Covered<'_>> = coverage.of(delete).collect();
        let times = |status: u16| seen.iter().find(|one| one.status == status).unwrap().times;
        assert_eq!((times(204), times(404), times(401)), (2, 1, 0));
        assert_eq!(seen.iter().find(|one| one.status == 204).unwrap().media_type, None);
        assert_eq!(seen.iter().find(|one| one.status == 401).unwrap().media_type, Some("application/json"));
        assert!(coverage.unknown(&[&contract]).is_empty());
    }

    #[test]
    fn media_types_are_counted_separately() {
        let mut value = fixture::document().value().clone();
        value["paths"]["/projects"]["get"]["responses"]["200"]["content"]["text/csv"] =
            serde_json::json!({"schema": {"type": "string"}, "example": "id"});
        let document = crate::Document::from_json(&value.to_string()).unwrap();
        let contract = CompiledDocument::compile(&document).unwrap();
        let list = contract.operations().find(|operation| operation.id == "listProjects").unwrap();
        let coverage = Coverage::read("GET /v1/projects 200 text/csv");
        let successes: Vec<(Option<&str>, usize)> =
            coverage.of(list).filter(|one| one.status == 200).map(|one| (one.media_type, one.times)).collect();
        assert_eq!(successes, [(Some("application/json"), 0), (Some("text/csv"), 1)]);
    }

    #[test]
    fn lines_of_another_document_are_unknown() {
        let contract = fixture::contract();
        let coverage = Coverage::read("GET /v1/trips 200 application/json\nGET /v1/projects 299 -\nnonsense");
        let unknown = ["GET /v1/projects 299 -", "GET /v1/trips 200 application/json", "nonsense"];
        assert_eq!(coverage.unknown(&[&contract]), unknown);
        assert!(Coverage::read("\n").is_empty() && !coverage.is_empty());
    }
}
