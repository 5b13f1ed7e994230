//! Imports: creates the bucketlists and items of an exported file, all or none.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    Context, Error, Idempotent, InvalidField,
    idempotency::{KeyedRequest, request::CanonicalImport},
};
use crate::{
    db::{
        DbConnection,
        repositories::{
            bucketlists, items,
            search::{self, Document},
        },
    },
    domain::{
        BucketlistContent, BucketlistId, Import, ImportConflict, ImportItem, ImportList, ImportOutcome,
        ImportRecordFacts, ImportViolation, ImportedList, ItemContent, NewBucketlist, NewItem, SearchTarget, Timestamp,
        UserId, import_time, import_times, import_violations, numbered_name,
    },
};

/// Number of candidates for a new name that are checked in one statement.
const CANDIDATES: usize = 5;
/// The largest number that is appended to a name.
const MAX_NUMBER: u32 = 1_000;

/// Imports exported files.
#[derive(Clone)]
pub struct Imports(pub(super) Arc<Context>);

/// A record of a file to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRecord {
    pub is_item: bool,
    /// ID of the record in the source account.
    pub id: Option<i64>,
    /// ID of the bucketlist in the source account.
    pub bucketlist_id: i64,
    pub name: String,
    pub description: Option<String>,
    pub done: Option<bool>,
    pub done_at: Option<Timestamp>,
    pub due_on: Option<chrono::NaiveDate>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
}

/// The records of a file, by type.
struct Content {
    lists: Vec<ImportList>,
    items: Vec<ImportItem>,
}

/// A bucketlist with its outcome and the name to create it with.
struct Plan {
    outcome: ImportOutcome,
    name: String,
}

impl Imports {
    /// Creates the bucketlists and items of a file.
    ///
    /// # Errors
    /// `Invalid`, `NamesTaken`; with an idempotency key also `Conflict(IdempotencyKeyInFlight)` and `IdempotencyKeyReused`.
    pub async fn create(
        &self,
        owner: UserId,
        records: Vec<ImportRecord>,
        on_conflict: ImportConflict,
        idempotency_key: Option<String>,
    ) -> Result<Idempotent<Import>, Error> {
        let violations = import_violations(&records.iter().map(ImportRecord::facts).collect::<Vec<_>>());
        if !violations.is_empty() {
            let field = |found: ImportViolation| InvalidField {
                name: format!("records/{}/{}", found.record, found.field).into(),
                code: found.code,
                message: found.message,
            };
            return Err(Error::Invalid(violations.into_iter().map(field).collect()));
        }
        let canonical = CanonicalImport::new(on_conflict, &records);
        let request = KeyedRequest::new(owner, idempotency_key, "import", &canonical)?;
        let content = Arc::new(content(records, self.0.clock.now()));
        self.0.create_once(owner, request, move |c| create(c, owner, &content, on_conflict)).await
    }
}

impl ImportRecord {
    fn facts(&self) -> ImportRecordFacts {
        ImportRecordFacts {
            is_item: Some(self.is_item),
            id: self.id,
            bucketlist_id: Some(self.bucketlist_id),
            name_length: self.name.chars().count(),
            description_length: self.description.as_ref().map_or(0, |text| text.chars().count()),
            done: self.done,
            has_done_at: self.done_at.is_some(),
            has_due_on: self.due_on.is_some(),
        }
    }
}

fn content(records: Vec<ImportRecord>, now: Timestamp) -> Content {
    let mut content = Content { lists: Vec::new(), items: Vec::new() };
    for (index, record) in records.into_iter().enumerate() {
        let ImportRecord { name, description, due_on, .. } = record;
        let (created_at, updated_at) = import_times(record.created_at, record.updated_at, now);
        let done = record.done.unwrap_or_default();
        if record.is_item {
            content.items.push(ImportItem {
                source_list_id: record.bucketlist_id,
                content: ItemContent { name, description, done, due_on },
                done_at: record.done_at.map(|done_at| import_time(done_at, now)),
                created_at,
                updated_at,
            });
        } else {
            content.lists.push(ImportList {
                record: index,
                source_id: record.bucketlist_id,
                content: BucketlistContent { name, description },
                created_at,
                updated_at,
            });
        }
    }
    content
}

/// Creates everything in the caller's transaction. The lock on the account, which every change of its bucketlists acquires, keeps
/// the names free until the commit.
fn create(
    c: &mut DbConnection,
    owner: UserId,
    content: &Content,
    on_conflict: ImportConflict,
) -> Result<Import, Error> {
    let plans = plan(c, owner, &content.lists, on_conflict)?;
    let mut per_list: HashMap<i64, Vec<&ImportItem>> = HashMap::new();
    for item in &content.items {
        per_list.entry(item.source_list_id).or_default().push(item);
    }
    let items_of = |list: &ImportList| per_list.get(&list.source_id).map_or(&[][..], Vec::as_slice);

    let mut new_lists = Vec::new();
    for (list, plan) in content.lists.iter().zip(&plans).filter(|(_, plan)| plan.outcome != ImportOutcome::Skipped) {
        let content = BucketlistContent { name: plan.name.clone(), description: list.content.description.clone() };
        let new = NewBucketlist { owner, content, created_at: list.created_at, updated_at: list.updated_at };
        let items = items_of(list);
        let done = items.iter().filter(|item| item.content.done).count();
        new_lists.push((new, count(items.len()), count(done)));
    }
    let created = bucketlists::insert_all(c, &new_lists)?;

    let mut new_items = Vec::new();
    let mut ids = created.iter().map(|list| list.id);
    let mut imported = Vec::with_capacity(plans.len());
    for (list, plan) in content.lists.iter().zip(plans) {
        let bucketlist_id = if plan.outcome == ImportOutcome::Skipped { None } else { ids.next() };
        let items = bucketlist_id.map_or(&[][..], |_| items_of(list));
        new_items.extend(bucketlist_id.into_iter().flat_map(|id| items.iter().map(move |item| new_item(id, item))));
        let (source_id, items) = (list.source_id, count(items.len()));
        imported.push(ImportedList { source_id, outcome: plan.outcome, bucketlist_id, name: plan.name, items });
    }
    let items = items::insert_all(c, &new_items)?;
    let lists = created.iter().map(|list| Document {
        target: SearchTarget::Bucketlist,
        id: list.id.get(),
        owner,
        name: &list.name,
        description: list.description.as_deref(),
    });
    let items = items.iter().map(|item| Document {
        target: SearchTarget::Item,
        id: item.id.get(),
        owner,
        name: &item.name,
        description: item.description.as_deref(),
    });
    search::upsert(c, &lists.chain(items).collect::<Vec<_>>())?;
    Ok(Import { bucketlists: imported })
}

fn new_item(bucketlist_id: BucketlistId, item: &ImportItem) -> NewItem {
    NewItem {
        bucketlist_id,
        content: item.content.clone(),
        done_at: item.content.done.then(|| item.done_at.unwrap_or(item.updated_at)),
        created_at: item.created_at,
        updated_at: item.updated_at,
    }
}

/// Decides the name of each bucketlist. A name is taken if the owner or an earlier record has it.
fn plan(
    c: &mut DbConnection,
    owner: UserId,
    lists: &[ImportList],
    on_conflict: ImportConflict,
) -> Result<Vec<Plan>, Error> {
    let mut plans: Vec<Plan> =
        lists.iter().map(|list| Plan { outcome: ImportOutcome::Created, name: list.content.name.clone() }).collect();
    let names: Vec<String> = plans.iter().map(|plan| plan.name.clone()).collect();
    let taken = bucketlists::taken_names(c, owner, &names)?;
    let mut used = HashSet::new();
    let is_conflict = |name: &String| taken.contains(name) || !used.insert(name.clone());
    let conflicts = names.iter().map(is_conflict).collect::<Vec<_>>();
    let conflicts: Vec<usize> = (0..plans.len()).filter(|index| conflicts[*index]).collect();
    match on_conflict {
        ImportConflict::Reject if !conflicts.is_empty() => {
            return Err(Error::NamesTaken(conflicts.into_iter().map(|index| lists[index].record).collect()));
        }
        ImportConflict::Reject => {}
        ImportConflict::Skip => {
            for index in conflicts {
                plans[index].outcome = ImportOutcome::Skipped;
            }
        }
        ImportConflict::Rename => {
            for (index, name) in free_names(c, owner, lists, conflicts)? {
                plans[index] = Plan { outcome: ImportOutcome::Renamed, name };
            }
        }
    }
    Ok(plans)
}

/// Finds a name with a number for each of the bucketlists at `open`. No other bucketlist of the owner or of the request has it.
fn free_names(
    c: &mut DbConnection,
    owner: UserId,
    lists: &[ImportList],
    mut open: Vec<usize>,
) -> Result<Vec<(usize, String)>, Error> {
    let mut used: HashSet<String> = lists.iter().map(|list| list.content.name.clone()).collect();
    let mut found = Vec::with_capacity(open.len());
    for first in (2..=MAX_NUMBER).step_by(CANDIDATES) {
        if open.is_empty() {
            break;
        }
        let candidates = |index: usize| {
            (first..).take(CANDIDATES).map(move |number| numbered_name(&lists[index].content.name, number))
        };
        let all: Vec<String> = open.iter().flat_map(|index| candidates(*index)).collect();
        let taken = bucketlists::taken_names(c, owner, &all)?;
        open.retain(|index| {
            match candidates(*index).find(|name| !taken.contains(name) && used.insert(name.clone())) {
                Some(name) => found.push((*index, name)),
                None => return true,
            }
            false
        });
    }
    if open.is_empty() {
        return Ok(found);
    }
    Err(Error::NamesTaken(open.into_iter().map(|index| lists[index].record).collect()))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
