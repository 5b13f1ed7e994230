//! Imports: bucketlists and items from an exported file.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation;

use super::{BucketlistContent, BucketlistId, ItemContent, Timestamp, text_enum::text_enum};

/// Maximum length of the name of a bucketlist, in characters.
const MAX_LIST_NAME: usize = 100;
/// Maximum length of the description of a bucketlist, in characters.
const MAX_LIST_DESCRIPTION: usize = 1_000;

text_enum! {
    /// What to do with a bucketlist whose name is taken.
    ImportConflict {
        /// Reject the import.
        Reject "reject"
        /// Append a number to the name.
        Rename "rename"
        /// Do not import the bucketlist and its items.
        Skip "skip"
    }
}

text_enum! {
    /// What was done with a bucketlist.
    ImportOutcome {
        /// Created with its name.
        Created "created"
        /// Created with another name.
        Renamed "renamed"
        /// Not created.
        Skipped "skipped"
    }
}

/// A bucketlist to import.
#[derive(Clone, Debug)]
pub struct ImportList {
    /// Index of the record in the request.
    pub record: usize,
    /// ID in the source account.
    pub source_id: i64,
    pub content: BucketlistContent,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An item to import.
#[derive(Clone, Debug)]
pub struct ImportItem {
    /// ID of its bucketlist in the source account.
    pub source_list_id: i64,
    pub content: ItemContent,
    pub done_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The result of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The bucketlists in the order of the request.
    pub bucketlists: Vec<ImportedList>,
}

/// A bucketlist of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedList {
    /// ID in the source account.
    pub source_id: i64,
    pub outcome: ImportOutcome,
    /// The created bucketlist; `None` if it was skipped.
    pub bucketlist_id: Option<BucketlistId>,
    /// Name of the created bucketlist, or the name that was taken.
    pub name: String,
    /// Number of created items.
    pub items: i64,
}

/// The parts of a record that the rules below depend on.
#[derive(Clone, Copy, Debug)]
pub struct ImportRecordFacts {
    /// `None` if the type is missing or unknown.
    pub is_item: Option<bool>,
    /// ID of the record in the source account; `None` if it is null.
    pub id: Option<i64>,
    /// ID of the bucketlist in the source account; `None` if it is missing or malformed.
    pub bucketlist_id: Option<i64>,
    /// Length of the name in characters.
    pub name_length: usize,
    /// Length of the description in characters.
    pub description_length: usize,
    /// `None` if it is null.
    pub done: Option<bool>,
    pub has_done_at: bool,
    pub has_due_on: bool,
}

/// A rule that a record violates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportViolation {
    /// Index of the record.
    pub record: usize,
    pub field: &'static str,
    pub code: &'static str,
    pub message: String,
}

/// Returns the violations of the rules that a schema cannot express, in the order of the records.
#[must_use]
pub fn import_violations(records: &[ImportRecordFacts]) -> Vec<ImportViolation> {
    // If a type or an ID is malformed, the lists of the request are not known.
    let is_complete = records.iter().all(|record| record.is_item.is_some() && record.bucketlist_id.is_some());
    let lists = records.iter().filter(|record| record.is_item == Some(false));
    let known: HashSet<Option<i64>> = lists.map(|record| record.bucketlist_id).collect();
    let mut seen = HashSet::new();
    let mut violations = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let mut add = |field, code, message: &str| {
            violations.push(ImportViolation { record: index, field, code, message: message.to_owned() });
        };
        match record.is_item {
            Some(false) => {
                if record.bucketlist_id.is_some() && !seen.insert(record.bucketlist_id) {
                    add("bucketlist_id", "NOT_UNIQUE", "must not be the ID of two bucketlists");
                }
                if record.id.is_some() && record.bucketlist_id.is_some() && record.id != record.bucketlist_id {
                    add("id", "NOT_ALLOWED", "must be equal to bucketlist_id, or null");
                }
                if record.name_length > MAX_LIST_NAME {
                    add("name", "TOO_LONG", &format!("must have at most {MAX_LIST_NAME} characters"));
                }
                if record.description_length > MAX_LIST_DESCRIPTION {
                    add("description", "TOO_LONG", &format!("must have at most {MAX_LIST_DESCRIPTION} characters"));
                }
                let fields =
                    [("done", record.done.is_some()), ("done_at", record.has_done_at), ("due_on", record.has_due_on)];
                for (field, _) in fields.into_iter().filter(|(_, is_set)| *is_set) {
                    add(field, "NOT_ALLOWED", "must be null for a bucketlist");
                }
            }
            Some(true) => {
                if is_complete && !known.contains(&record.bucketlist_id) {
                    add("bucketlist_id", "UNKNOWN_BUCKETLIST", "must be the ID of a bucketlist in the request");
                }
                if record.has_done_at && !record.done.unwrap_or_default() {
                    add("done_at", "NOT_ALLOWED", "must be null for an item that is not completed");
                }
            }
            None => {}
        }
    }
    violations
}

/// Returns a name with a number: `See the world (2)`. The name is truncated to the maximum length.
#[must_use]
pub fn numbered_name(name: &str, number: u32) -> String {
    let suffix = format!(" ({number})");
    let limit = MAX_LIST_NAME - suffix.len();
    let mut numbered = String::new();
    let mut length = 0;
    for grapheme in name.graphemes(true) {
        length += grapheme.chars().count();
        if length > limit {
            break;
        }
        numbered.push_str(grapheme);
    }
    numbered.truncate(numbered.trim_end().len());
    numbered.push_str(&suffix);
    numbered
}

/// Returns a time of the source account: at most `now`, and not before 1970.
#[must_use]
pub fn import_time(time: Timestamp, now: Timestamp) -> Timestamp {
    time.clamp(Timestamp::default(), now.max(Timestamp::default()))
}

/// Returns the times of creation and of the last change, in this order.
#[must_use]
pub fn import_times(
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    now: Timestamp,
) -> (Timestamp, Timestamp) {
    let created_at = import_time(created_at.unwrap_or(now), now);
    (created_at, updated_at.map_or(created_at, |time| import_time(time, now)).max(created_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: ImportRecordFacts = ImportRecordFacts {
        is_item: Some(false),
        id: Some(1),
        bucketlist_id: Some(1),
        name_length: 100,
        description_length: 1_000,
        done: None,
        has_done_at: false,
        has_due_on: false,
    };
    const ITEM: ImportRecordFacts = ImportRecordFacts {
        is_item: Some(true),
        name_length: 200,
        description_length: 4_000,
        done: Some(false),
        ..LIST
    };

    fn violations(records: &[ImportRecordFacts]) -> Vec<(usize, &'static str, &'static str)> {
        import_violations(records).into_iter().map(|found| (found.record, found.field, found.code)).collect()
    }

    #[test]
    fn every_violation_of_every_record_is_reported() {
        assert_eq!(violations(&[LIST, ITEM, ITEM]), []);
        // An item can come before its bucketlist.
        assert_eq!(violations(&[ITEM, LIST]), []);
        let other = ImportRecordFacts { bucketlist_id: Some(2), ..ITEM };
        let full = ImportRecordFacts {
            name_length: 101,
            description_length: 1_001,
            done: Some(false),
            has_done_at: true,
            has_due_on: true,
            ..LIST
        };
        let expected = [
            (1, "bucketlist_id", "UNKNOWN_BUCKETLIST"),
            (2, "bucketlist_id", "NOT_UNIQUE"),
            (2, "name", "TOO_LONG"),
            (2, "description", "TOO_LONG"),
            (2, "done", "NOT_ALLOWED"),
            (2, "done_at", "NOT_ALLOWED"),
            (2, "due_on", "NOT_ALLOWED"),
            (3, "done_at", "NOT_ALLOWED"),
        ];
        let open = ImportRecordFacts { has_done_at: true, ..ITEM };
        assert_eq!(violations(&[LIST, other, full, open]), expected);
        // The ID of an item is different.
        let of_item = ImportRecordFacts { id: Some(5), ..ITEM };
        let contradicting = ImportRecordFacts { id: Some(5), ..LIST };
        assert_eq!(violations(&[contradicting, of_item]), [(0, "id", "NOT_ALLOWED")]);
        assert_eq!(violations(&[ImportRecordFacts { id: None, ..LIST }, of_item]), []);
        // With a malformed record, the bucketlists of the request are not known.
        let malformed = ImportRecordFacts { is_item: None, ..LIST };
        assert_eq!(violations(&[malformed, other]), []);
    }

    #[test]
    fn numbered_name_has_the_maximum_length() {
        assert_eq!(numbered_name("See the world", 2), "See the world (2)");
        assert_eq!(numbered_name(&"x".repeat(100), 12), format!("{} (12)", "x".repeat(95)));
        assert_eq!(
            numbered_name(&format!("{} {}", "x".repeat(95), "y".repeat(4)), 2),
            format!("{} (2)", "x".repeat(95))
        );
        // A character that consists of several code points is not divided.
        let flags = "🇦🇹".repeat(50);
        assert_eq!(numbered_name(&flags, 2), format!("{} (2)", "🇦🇹".repeat(48)));
    }

    #[test]
    fn times_are_ordered_and_not_in_the_future() {
        let at = Timestamp::from_micros;
        let times =
            |created: Option<i64>, updated: Option<i64>| import_times(created.map(at), updated.map(at), at(100));
        assert_eq!(times(Some(5), Some(7)), (at(5), at(7)));
        assert_eq!(times(Some(5), Some(3)), (at(5), at(5)));
        assert_eq!(times(Some(5), None), (at(5), at(5)));
        assert_eq!(times(None, Some(3)), (at(100), at(100)));
        assert_eq!(times(Some(101), Some(i64::MAX)), (at(100), at(100)));
        assert_eq!(times(Some(-1), Some(-5)), (at(0), at(0)));
    }
}
