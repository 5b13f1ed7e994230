//! From rows to what v2 shows of them.

use std::collections::HashMap;

use contract::{
    v2::schemas::{Bucketlist, HitType, Item, Links, Role, SearchHit, Session, User},
    values::{Date, EmailAddress, Id, Nullable, Timestamp},
};

use crate::{
    db::repositories::{
        bucketlists::BucketlistRow, items::ItemRow, search::DocumentKind, sessions::SessionRow, users::UserRow,
    },
    services::Found,
};

pub(super) fn bucketlist(row: BucketlistRow) -> Bucketlist {
    Bucketlist {
        id: Id(row.id),
        name: row.name,
        description: Nullable(row.description),
        items_total: row.items_total,
        items_done: row.items_done,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
        items: Nullable(None),
        links: Links::Bucketlist(row.id),
    }
}

pub(super) fn item(row: ItemRow) -> Item {
    Item {
        id: Id(row.id),
        bucketlist_id: Id(row.bucketlist_id),
        name: row.name,
        description: Nullable(row.description),
        done: row.done,
        done_at: Nullable(row.done_at.map(Timestamp::from_micros)),
        due_on: Nullable(row.due_on.map(Date)),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
        links: Links::Item { bucketlist_id: row.bucketlist_id, id: row.id },
    }
}

/// Bucketlists with their first items, whatever the order of the lists is.
pub(super) fn with_items(lists: Vec<BucketlistRow>, items: Option<Vec<ItemRow>>) -> Vec<Bucketlist> {
    let mut lists: Vec<Bucketlist> = lists.into_iter().map(bucketlist).collect();
    let Some(items) = items else { return lists };
    let mut of_lists: HashMap<i64, Vec<Item>> = HashMap::new();
    for row in items {
        of_lists.entry(row.bucketlist_id).or_default().push(item(row));
    }
    for list in &mut lists {
        list.items = Nullable(Some(of_lists.remove(&list.id.0).unwrap_or_default()));
    }
    lists
}

/// An account, with the links of whoever looks at it.
pub(super) fn user(row: UserRow, links: Links) -> User {
    User {
        id: Id(row.id),
        role: if row.is_admin() { Role::Admin } else { Role::User },
        email: EmailAddress(row.email),
        name: row.name,
        disabled: row.disabled,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
        links,
    }
}

/// A session, seen from the session `current`.
pub(super) fn session(row: SessionRow, current: i64) -> Session {
    Session {
        id: Id(row.id),
        device: Nullable(row.user_agent),
        current: row.id == current,
        created_at: Timestamp::from_micros(row.created_at),
        last_seen_at: Timestamp::from_micros(row.last_seen_at),
        expires_at: Timestamp::from_micros(row.expires_at),
        links: Links::Session(row.id),
    }
}

pub(super) fn hit(found: Found) -> SearchHit {
    let Found { hit, snippet } = found;
    let (kind, links) = match hit.kind {
        DocumentKind::Bucketlist => (HitType::Bucketlist, Links::Bucketlist(hit.id)),
        DocumentKind::Item => (HitType::Item, Links::Item { bucketlist_id: hit.bucketlist_id, id: hit.id }),
    };
    SearchHit {
        kind,
        id: Id(hit.id),
        bucketlist_id: Id(hit.bucketlist_id),
        name: hit.name,
        snippet,
        done: Nullable(hit.done),
        created_at: Timestamp::from_micros(hit.created_at),
        updated_at: Timestamp::from_micros(hit.updated_at),
        links,
    }
}
