//! The representations of entities in v2.

use std::collections::HashMap;

use contract::{
    v2::schemas::{Bucketlist, Item, Links, ResourceType, Role, SearchHit, Session, User},
    values::{Date, EmailAddress, Id, Nullable, Timestamp},
};

use crate::{
    domain::{self, SearchTarget, SessionId},
    services::{SearchResult, WithItems},
};

/// Converts a timestamp.
pub(super) fn timestamp(time: domain::Timestamp) -> Timestamp {
    Timestamp::from_micros(time.micros())
}

pub(super) fn bucketlist(list: domain::Bucketlist) -> Bucketlist {
    Bucketlist {
        id: Id(list.id.get()),
        name: list.name,
        description: Nullable(list.description),
        items_total: list.items_total,
        items_done: list.items_done,
        created_at: timestamp(list.created_at),
        updated_at: timestamp(list.updated_at),
        items: Nullable(None),
        links: Links::Bucketlist(list.id.get()),
    }
}

pub(super) fn item(item: domain::Item) -> Item {
    Item {
        id: Id(item.id.get()),
        bucketlist_id: Id(item.bucketlist_id.get()),
        name: item.name,
        description: Nullable(item.description),
        done: item.done,
        done_at: Nullable(item.done_at.map(timestamp)),
        due_on: Nullable(item.due_on.map(Date)),
        created_at: timestamp(item.created_at),
        updated_at: timestamp(item.updated_at),
        links: Links::Item { bucketlist_id: item.bucketlist_id.get(), id: item.id.get() },
    }
}

/// Converts a bucketlist with its first items.
pub(super) fn bucketlist_with_items(list: WithItems<domain::Bucketlist>) -> Bucketlist {
    let items = list.items.map(|items| items.into_iter().map(item).collect());
    Bucketlist { items: Nullable(items), ..bucketlist(list.value) }
}

/// Converts bucketlists with their first items. The order of the items does not depend on that of the bucketlists.
pub(super) fn bucketlists_with_items(
    lists: Vec<domain::Bucketlist>,
    items: Option<Vec<domain::Item>>,
) -> Vec<Bucketlist> {
    let mut lists: Vec<Bucketlist> = lists.into_iter().map(bucketlist).collect();
    let Some(items) = items else { return lists };
    let mut by_list: HashMap<i64, Vec<Item>> = HashMap::new();
    for entry in items {
        by_list.entry(entry.bucketlist_id.get()).or_default().push(item(entry));
    }
    for list in &mut lists {
        list.items = Nullable(Some(by_list.remove(&list.id.0).unwrap_or_default()));
    }
    lists
}

/// Converts an account. `links` depends on the caller.
pub(super) fn user(user: domain::User, links: Links) -> User {
    User {
        id: Id(user.id.get()),
        role: match user.role {
            domain::Role::User => Role::User,
            domain::Role::Admin => Role::Admin,
        },
        email: EmailAddress(user.email),
        name: user.name,
        disabled: user.disabled,
        deprecation_notices_enabled: user.deprecation_notices_enabled,
        created_at: timestamp(user.created_at),
        updated_at: timestamp(user.updated_at),
        links,
    }
}

/// Converts a session. `current` is the session of the request.
pub(super) fn session(session: domain::Session, current: SessionId) -> Session {
    Session {
        id: Id(session.id.get()),
        device: Nullable(session.user_agent),
        current: session.id == current,
        created_at: timestamp(session.created_at),
        last_seen_at: timestamp(session.last_seen_at),
        expires_at: timestamp(session.expires_at),
        links: Links::Session(session.id.get()),
    }
}

pub(super) fn search_hit(result: SearchResult) -> SearchHit {
    let SearchResult { hit, snippet } = result;
    let (kind, links) = match hit.target {
        SearchTarget::Bucketlist => (ResourceType::Bucketlist, Links::Bucketlist(hit.id)),
        SearchTarget::Item => (ResourceType::Item, Links::Item { bucketlist_id: hit.bucketlist_id.get(), id: hit.id }),
    };
    SearchHit {
        kind,
        id: Id(hit.id),
        bucketlist_id: Id(hit.bucketlist_id.get()),
        name: hit.name,
        snippet,
        done: Nullable(hit.done),
        created_at: timestamp(hit.created_at),
        updated_at: timestamp(hit.updated_at),
        links,
    }
}
