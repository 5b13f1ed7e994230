//! Keyset pagination in the repositories: pages contain each row once, in the same order on both engines.

mod plans;

use std::{collections::BTreeSet, fmt::Debug};

use bucketlist::{
    db::{
        BatchableWork, DbConnection, DbError,
        repositories::{
            bucketlists,
            item_pages::{ListItemsByCursor, ListItemsByOffset},
            items, sessions, users,
        },
    },
    domain::{
        Bucketlist, BucketlistContent, BucketlistFilter, BucketlistId, CursorQuery, Email, Item, ItemContent,
        ItemFilter, ItemScope, Keyset, KeysetPosition, NewBucketlist, NewItem, NewSession, NewUser, OffsetQuery,
        OffsetRange, Role, Session, SortKey, SortValue, TextFilter, Timestamp, User, UserFilter, UserId,
    },
};
use chrono::NaiveDate;

use crate::support::{Database, TestApp};

/// Names with different cases, scripts and accents (composed and decomposed), and characters that UTF-16 sorts differently
/// from code points.
const NAMES: [&str; 24] = [
    "b",
    "B",
    "a",
    "A",
    "ä",
    "Ä",
    "a\u{308}",
    "é",
    "zebra",
    "Zebra",
    "Ångström",
    "ß",
    "ss",
    "あ",
    "漢",
    "🏔",
    "🏔 b",
    "\u{e000}",
    "_",
    "~",
    "a b",
    "a-b",
    "10",
    "9",
];

const ORDERS: [(SortKey, bool); 6] = [
    (SortKey::CreatedAt, false),
    (SortKey::CreatedAt, true),
    (SortKey::UpdatedAt, false),
    (SortKey::UpdatedAt, true),
    (SortKey::Name, false),
    (SortKey::Name, true),
];

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2027, 1, day).unwrap()
}

const fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn text(q: &str) -> Option<TextFilter> {
    TextFilter::parse(q)
}

/// Returns one of few timestamps, so that many rows have equal ones, in a different order than the IDs.
fn timestamps(number: usize) -> (Timestamp, Timestamp) {
    let number = i64::try_from(number).unwrap();
    (at(100 + number * 7 % 5), at(200 + number * 11 % 3))
}

fn add_user(c: &mut DbConnection, number: usize, name: &str) -> UserId {
    let email = Email::parse(&format!("user-{number}@example.com")).unwrap();
    let (created_at, updated_at) = timestamps(number);
    let user = NewUser {
        email: &email,
        name,
        password_hash: "",
        role: if number.is_multiple_of(4) { Role::Admin } else { Role::User },
        disabled: number.is_multiple_of(3),
        created_at,
        updated_at,
    };
    users::insert(c, &user).unwrap().id
}

fn add_list(c: &mut DbConnection, owner: UserId, number: usize, name: &str) -> BucketlistId {
    let (created_at, updated_at) = timestamps(number);
    let content = BucketlistContent { name: name.to_owned(), description: None };
    bucketlists::insert(c, &NewBucketlist { owner, content, created_at, updated_at }).unwrap().id
}

fn new_item(bucketlist_id: BucketlistId, number: usize, name: &str) -> NewItem {
    let (created_at, updated_at) = timestamps(number);
    let content = ItemContent {
        name: name.to_owned(),
        description: None,
        done: number.is_multiple_of(3),
        due_on: (!number.is_multiple_of(4)).then(|| day(u32::try_from(number % 9).unwrap() + 1)),
    };
    NewItem { bucketlist_id, content, done_at: None, created_at, updated_at }
}

/// Creates an owner with two bucketlists, each with two items for each of [`NAMES`]; returns the owner and the first
/// bucketlist.
fn insert_items(c: &mut DbConnection) -> (UserId, BucketlistId) {
    let owner = add_user(c, 1, "owner");
    let lists = ["one", "another"].map(|name| add_list(c, owner, 1, name));
    let rows: Vec<NewItem> = NAMES
        .iter()
        .chain(&NAMES)
        .enumerate()
        .flat_map(|(number, name)| lists.map(|list| new_item(list, number, name)))
        .collect();
    items::insert_all(c, &rows).unwrap();
    for list in lists {
        let own = rows.iter().filter(|row| row.bucketlist_id == list);
        let (total, done) = own.fold((0, 0), |(total, done), row| (total + 1, done + i64::from(row.content.done)));
        bucketlists::adjust_counts(c, owner, list, total, done).unwrap();
    }
    (owner, lists[0])
}

fn page(sort: SortKey, descending: bool, limit: i64) -> Keyset {
    Keyset { sort, descending, after: None, limit }
}

/// Reads all pages and returns the positions of the rows.
fn read_all_pages<R>(
    mut keyset: Keyset,
    position: fn(&R, SortKey) -> KeysetPosition,
    mut fetch: impl FnMut(&Keyset) -> Vec<R>,
) -> Vec<KeysetPosition> {
    let mut visited = Vec::new();
    loop {
        let rows = fetch(&keyset);
        assert!(rows.len() <= usize::try_from(keyset.limit).unwrap());
        visited.extend(rows.iter().map(|row| position(row, keyset.sort)));
        assert!(visited.len() < 10_000, "the pages form a cycle");
        let Some(last) = visited.last().filter(|_| !rows.is_empty()) else { return visited };
        keyset.after = Some(last.clone());
    }
}

/// Returns the positions in the expected order: by code point, as Rust compares text, and then by ID.
fn sorted<R>(
    rows: &[R],
    sort: SortKey,
    descending: bool,
    position: fn(&R, SortKey) -> KeysetPosition,
) -> Vec<KeysetPosition> {
    let mut all: Vec<KeysetPosition> = rows.iter().map(|row| position(row, sort)).collect();
    all.sort_by(|a, b| {
        let keys = match (&a.value, &b.value) {
            (SortValue::Timestamp(a), SortValue::Timestamp(b)) => a.cmp(b),
            (SortValue::Text(a), SortValue::Text(b)) => a.cmp(b),
            keys => panic!("{keys:?}"),
        };
        keys.then(a.id.cmp(&b.id))
    });
    if descending {
        all.reverse();
    }
    all
}

/// Reads the rows in every order with several page sizes and asserts that they are the rows in `all`.
fn expect_pages_in_every_order<R: Debug>(
    all: &[R],
    position: fn(&R, SortKey) -> KeysetPosition,
    mut fetch: impl FnMut(&Keyset) -> Vec<R>,
) {
    for (sort, descending) in ORDERS {
        let expected = sorted(all, sort, descending, position);
        for limit in [1, 7, 1000] {
            let visited = read_all_pages(page(sort, descending, limit), position, &mut fetch);
            assert_eq!(visited, expected, "{sort:?}, descending: {descending}, {limit} per page");
        }
    }
}

/// Asserts that `filter` returns exactly the items that match `matches`, in every order and page size, and that the count
/// is equal.
fn expect_items(c: &mut DbConnection, list: BucketlistId, filter: &ItemFilter, matches: impl Fn(&Item) -> bool) {
    let mut all = items::list_after(c, list, &ItemFilter::default(), &page(SortKey::CreatedAt, false, 1000)).unwrap();
    assert_eq!(all.len(), 2 * NAMES.len());
    all.retain(|row| matches(row));
    assert!(!all.is_empty() && all.len() < 2 * NAMES.len(), "{filter:?} excludes no row");
    expect_pages_in_every_order(&all, Item::position, |keyset| items::list_after(c, list, filter, keyset).unwrap());
    assert_eq!(items::count(c, list, filter).unwrap(), i64::try_from(all.len()).unwrap(), "{filter:?}");
}

fn expect_users(c: &mut DbConnection, filter: &UserFilter, matches: impl Fn(&User) -> bool) {
    let mut all = users::list_after(c, &UserFilter::default(), &page(SortKey::CreatedAt, false, 1000)).unwrap();
    all.retain(|row| matches(row));
    assert!(!all.is_empty() && all.len() < 2 * NAMES.len(), "{filter:?} excludes no row");
    expect_pages_in_every_order(&all, User::position, |keyset| users::list_after(c, filter, keyset).unwrap());
    assert_eq!(users::count(c, filter).unwrap(), i64::try_from(all.len()).unwrap(), "{filter:?}");
}

/// Asserts that the works have the expected outputs, each alone, all together, and with others that are equal.
fn expect_outputs<W: BatchableWork>(c: &mut DbConnection, works: &[W], expected: &[Option<W::Output>])
where
    W::Output: Clone + Debug + PartialEq,
{
    let alone: Vec<_> = works.iter().map(|work| work.run(c).map(Some).unwrap()).collect();
    assert_eq!(alone, expected);
    for (first, step) in [(0, 1), (0, 5), (1, 7)] {
        let numbers = || (first..works.len()).step_by(step);
        let together: Vec<&W> = numbers().map(|number| &works[number]).collect();
        let expected: Vec<_> = numbers().map(|number| expected[number].clone()).collect();
        assert_eq!(W::run_all(&together, c).unwrap(), expected);
        let twice: Vec<&W> = together.iter().rev().chain(&together).copied().collect();
        let expected: Vec<_> = expected.iter().rev().chain(&expected).cloned().collect();
        assert_eq!(W::run_all(&twice, c).unwrap(), expected);
    }
}

#[test]
fn only_pages_of_limited_cost_share_a_statement() {
    let scope = ItemScope { owner: UserId::new(1), bucketlist_id: BucketlistId::new(2) };
    let by_offset = |page, q: Option<&str>| {
        ListItemsByOffset::new(scope, &OffsetQuery { page, per_page: 100, q: q.map(str::to_owned) }).is_some()
    };
    assert_eq!([by_offset(11, None), by_offset(11, Some(" ")), by_offset(12, None)], [true, true, false]);
    assert_eq!([by_offset(1, Some("a")), by_offset(i64::MAX, None)], [false, false]);
    let by_cursor = |filter: &ItemFilter, keyset: &Keyset, with_total| {
        let query = CursorQuery { filter: filter.clone(), keyset: keyset.clone(), with_total };
        ListItemsByCursor::new(scope, &query).is_some()
    };
    let (none, default_order) = (ItemFilter::default(), page(SortKey::CreatedAt, false, 100));
    assert!(by_cursor(&none, &default_order, true));
    assert!(!by_cursor(&none, &page(SortKey::CreatedAt, false, 101), false));
    for (sort, descending) in ORDERS.into_iter().skip(1) {
        assert!(!by_cursor(&none, &page(sort, descending, 20), false), "{sort:?}, descending: {descending}");
    }
    let created_after = ItemFilter { created_after: Some(at(1)), ..none.clone() };
    assert_eq!([false, true].map(|with_total| by_cursor(&created_after, &default_order, with_total)), [true, false]);
    for filter in [
        ItemFilter { q: text("a"), ..none.clone() },
        ItemFilter { done: Some(true), ..none.clone() },
        ItemFilter { due_before: Some(day(1)), ..none.clone() },
        ItemFilter { due_after: Some(day(1)), ..none },
    ] {
        assert!(!by_cursor(&filter, &default_order, false), "{filter:?}");
    }
}

both_engines! {
    async fn pages_contain_each_item_once_in_every_order(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (owner, list) = insert_items(c);
        let all = items::list_first_per_bucketlist(c, &[list], 1000).unwrap();
        assert_eq!(all.len(), 2 * NAMES.len());
        let filter = ItemFilter::default();
        expect_pages_in_every_order(&all, Item::position, |keyset| items::list_after(c, list, &filter, keyset).unwrap());
        let mut list_with_counts = |owner, keyset: &Keyset| {
            items::list_with_counts(c, ItemScope { owner, bucketlist_id: list }, &filter, keyset).unwrap()
        };
        expect_pages_in_every_order(&all, Item::position, |keyset| list_with_counts(owner, keyset).unwrap().1);
        assert!(list_with_counts(UserId::new(owner.get() + 1), &page(SortKey::Name, false, 9)).is_none());
    }

    async fn pages_of_several_requests_equal_those_of_one(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (owner, list) = insert_items(c);
        let next = BucketlistId::new(list.get() + 1);
        let other = add_user(c, 2, "other");
        let others_list = add_list(c, other, 2, "list");
        items::insert(c, &new_item(others_list, 3, "item")).unwrap();
        bucketlists::adjust_counts(c, other, others_list, 1, 1).unwrap();
        let scopes = [(owner, list), (other, list), (owner, others_list), (owner, next), (other, others_list), (other, next)]
            .map(|(owner, bucketlist_id)| ItemScope { owner, bucketlist_id });
        let none = ItemFilter::default;

        let (mut works, mut expected) = (Vec::new(), Vec::new());
        for scope in scopes {
            for (page, per_page) in [(1, 100), (2, 20), (3, 20), (4, 20), (9, 5), (1, 1)] {
                let range = OffsetRange { offset: (page - 1) * per_page, limit: per_page };
                works.push(ListItemsByOffset::new(scope, &OffsetQuery { page, per_page, q: None }).unwrap());
                expected.push(Some(items::list_by_offset(c, scope, None, range).unwrap()));
            }
        }
        assert!(expected.iter().flatten().flatten().any(|page| page.data.len() == 48 && page.total == 48));
        expect_outputs(c, &works, &expected);

        let (mut works, mut expected) = (Vec::new(), Vec::new());
        for scope in scopes {
            let positions = [(100, 5), (102, i64::MAX), (103, 60), (i64::MIN, 0), (200, 0)];
            let positions = positions.map(|(time, id)| Some(KeysetPosition { value: SortValue::Timestamp(at(time)), id }));
            for (after, limit) in [None].into_iter().chain(positions).zip([100, 1, 7, 20, 30, 9]) {
                for created_after in [None, Some(at(101)), Some(at(103)), Some(at(104))] {
                    let filter = ItemFilter { created_after, ..none() };
                    let query = CursorQuery {
                        filter,
                        keyset: Keyset { after: after.clone(), ..page(SortKey::CreatedAt, false, limit) },
                        with_total: false,
                    };
                    works.push(ListItemsByCursor::new(scope, &query).unwrap());
                    let keyset = query.keyset_with_lookahead();
                    expected.push(Some(items::list_with_counts(c, scope, &query.filter, &keyset).unwrap()));
                }
            }
        }
        expect_outputs(c, &works, &expected);
    }

    async fn pages_contain_each_bucketlist_once_in_every_order(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let [owner, other_user] = ["owner", "other user"].map(|name| add_user(c, name.len(), name));
        for (number, name) in NAMES.into_iter().enumerate() {
            add_list(c, owner, number, name);
            add_list(c, other_user, number, name);
        }
        let ids: Vec<BucketlistId> = {
            let filter = BucketlistFilter::default();
            let rows = bucketlists::list_after(c, owner, &filter, &page(SortKey::Name, false, 1000)).unwrap();
            rows.iter().map(|row| row.id).collect()
        };
        let all: Vec<Bucketlist> =
            ids.iter().map(|id| bucketlists::find(c, owner, *id).unwrap().expect("the bucketlist belongs to the owner")).collect();
        assert_eq!(all.len(), NAMES.len());
        for (filter, expected) in [
            (BucketlistFilter::default(), all.clone()),
            (
                BucketlistFilter { q: text("B"), created_after: None },
                all.iter().filter(|row| row.name.to_lowercase().contains('b')).cloned().collect(),
            ),
            (
                BucketlistFilter { q: None, created_after: Some(at(102)) },
                all.iter().filter(|row| row.created_at > at(102)).cloned().collect(),
            ),
        ] {
            assert!(!expected.is_empty());
            let fetch = |keyset: &Keyset| bucketlists::list_after(c, owner, &filter, keyset).unwrap();
            expect_pages_in_every_order(&expected, Bucketlist::position, fetch);
            assert_eq!(bucketlists::count(c, owner, &filter).unwrap(), i64::try_from(expected.len()).unwrap());
        }
    }

    async fn pages_contain_each_user_once_for_every_order_and_filter(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let rows = NAMES.iter().chain(&NAMES).enumerate();
        let ids: Vec<UserId> = rows.map(|(number, name)| add_user(c, number, name)).collect();
        let all: Vec<User> = ids.iter().map(|id| users::find(c, *id).unwrap().expect("the user was inserted")).collect();
        let none = UserFilter::default();
        expect_pages_in_every_order(&all, User::position, |keyset| users::list_after(c, &none, keyset).unwrap());
        let filter = |role, disabled, created_after| UserFilter { role, disabled, created_after, q: None };
        expect_users(c, &filter(Some(Role::Admin), None, None), |row| row.role == Role::Admin);
        expect_users(c, &filter(Some(Role::User), Some(true), None), |row| row.role == Role::User && row.disabled);
        expect_users(c, &filter(None, Some(false), None), |row| !row.disabled);
        expect_users(c, &filter(None, None, Some(at(102))), |row| row.created_at > at(102));
        let pattern = UserFilter { q: text("ZEB"), ..UserFilter::default() };
        expect_users(c, &pattern, |row| row.name.to_lowercase().contains("zeb"));
    }

    async fn pages_contain_each_item_once_for_every_filter(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (_, list) = insert_items(c);
        let none = ItemFilter::default;
        expect_items(c, list, &ItemFilter { done: Some(true), ..none() }, |row| row.done);
        expect_items(c, list, &ItemFilter { done: Some(false), ..none() }, |row| !row.done);
        expect_items(c, list, &ItemFilter { due_before: Some(day(5)), ..none() }, |row| {
            row.due_on.is_some_and(|due| due < day(5))
        });
        expect_items(c, list, &ItemFilter { due_after: Some(day(5)), ..none() }, |row| {
            row.due_on.is_some_and(|due| due > day(5))
        });
        expect_items(c, list, &ItemFilter { created_after: Some(at(102)), ..none() }, |row| row.created_at > at(102));
        expect_items(c, list, &ItemFilter { q: text("B"), ..none() }, |row| {
            row.name.to_lowercase().contains('b')
        });
        let all_at_once = ItemFilter {
            q: text("b"),
            done: Some(false),
            due_before: Some(day(9)),
            due_after: Some(day(1)),
            created_after: Some(at(100)),
        };
        expect_items(c, list, &all_at_once, |row| {
            let due = row.due_on.is_some_and(|due| due < day(9) && due > day(1));
            row.name.to_lowercase().contains('b') && !row.done && due && row.created_at > at(100)
        });
    }

    async fn filter_applies_when_the_cursor_precedes_its_range(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (_, list) = insert_items(c);
        let filter = ItemFilter { created_after: Some(at(102)), ..ItemFilter::default() };
        for time in [100, 102, 103] {
            let after = Some(KeysetPosition { value: SortValue::Timestamp(at(time)), id: 0 });
            let keyset = Keyset { after, ..page(SortKey::CreatedAt, false, 1000) };
            let rows = items::list_after(c, list, &filter, &keyset).unwrap();
            assert!(!rows.is_empty() && rows.iter().all(|row| row.created_at > at(102)), "{time}");
        }
    }

    async fn pagination_is_stable_under_concurrent_changes(engine: Engine) {
        for (sort, descending) in ORDERS {
            let database = Database::new(engine);
            let mut migrator = database.migrator();
            let c = migrator.connection();
            let (_, list) = insert_items(c);
            let remaining: BTreeSet<i64> = items::list_first_per_bucketlist(c, &[list], 1000)
                .unwrap()
                .iter()
                .map(|row| row.id.get())
                .filter(|id| id % 3 != 0)
                .collect();
            let (filter, mut step) = (ItemFilter::default(), 0);
            let visited = read_all_pages(page(sort, descending, 5), Item::position, |keyset| {
                let rows = items::list_after(c, list, &filter, keyset).unwrap();
                // Deletes rows before and after the current position, including the row at the position.
                step += 1;
                let (before, after) = (rows.first(), rows.last());
                for row in before.into_iter().chain(after).filter(|row| !remaining.contains(&row.id.get())) {
                    items::delete(c, row.id).unwrap();
                }
                // Inserts stop after 40 pages, so that the pagination ends.
                let new = [new_item(list, step, NAMES[step % NAMES.len()])];
                items::insert_all(c, if step < 40 { &new } else { &[] }).unwrap();
                rows
            });
            let mut ids: Vec<i64> = visited.iter().map(|position| position.id).collect();
            let total = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), total, "{sort:?}, descending: {descending}: a row was visited twice");
            ids.retain(|id| remaining.contains(id));
            assert!(ids.iter().eq(&remaining), "{sort:?}, descending: {descending}: a row was not visited");
        }
    }

    async fn pages_contain_each_session_once_newest_first(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let [user, other] = ["user", "somebody else"].map(|name| add_user(c, name.len(), name));
        let now = at(1_000);
        let mut expected: Vec<KeysetPosition> = Vec::new();
        for number in 0..40 {
            let (created_at, _) = timestamps(number);
            let expires_at = if number % 5 == 0 { now } else { at(1_001) };
            let [id, _] = [user, other].map(|user_id| {
                sessions::insert(c, &NewSession { user_id, user_agent: None, created_at, expires_at }).unwrap()
            });
            if number % 7 == 0 {
                sessions::revoke(c, id, now).unwrap();
            } else if expires_at > now {
                expected.push(KeysetPosition { value: SortValue::Timestamp(created_at), id: id.get() });
            }
        }
        let key = |position: &KeysetPosition| match position.value {
            SortValue::Timestamp(time) => (time, position.id),
            SortValue::Text(_) => panic!("{position:?}"),
        };
        expected.sort_unstable_by_key(|position| std::cmp::Reverse(key(position)));
        let mut visited: Vec<KeysetPosition> = Vec::new();
        loop {
            let keyset = Keyset::newest_first(visited.last().cloned(), 4);
            let rows = sessions::list_after(c, user, now, &keyset).unwrap();
            visited.extend(rows.iter().map(Session::position));
            if rows.len() < 4 {
                break;
            }
        }
        assert_eq!(visited, expected);
    }

    async fn first_items_of_many_bucketlists_use_one_query(engine: Engine) {
        let app = TestApp::new(engine);
        let user = UserId::new(app.user().await.id());
        let lists: Vec<BucketlistId> = app
            .app
            .db
            .write(move |c| {
                let lists: Vec<BucketlistId> = (0..100).map(|number| add_list(c, user, number, &number.to_string())).collect();
                // Items alternate between the bucketlists, so that their IDs are not contiguous; the last bucketlists stay empty.
                let rows = (0..950).map(|number| new_item(lists[number % 95], number, "x"));
                items::insert_all(c, &rows.collect::<Vec<_>>())?;
                Ok::<_, DbError>(lists)
            })
            .await
            .unwrap();
        // An order that matches no sort key.
        let shuffled: Vec<BucketlistId> = (0..100).map(|index| lists[index * 37 % 100]).collect();
        for (ids, per_list) in [(&shuffled[..0], 3), (&shuffled[..1], 3), (&shuffled[..], 3), (&shuffled[..], 1000), (&shuffled[..], 0)] {
            let (requested, sent) = (ids.to_vec(), app.app.db.statements());
            let found = app.app.db.read(move |c| items::list_first_per_bucketlist(c, &requested, per_list).map_err(DbError::from)).await.unwrap();
            assert_eq!(app.app.db.statements() - sent, u64::from(!ids.is_empty()), "{} lists", ids.len());
            let mut expected = Vec::new();
            for list in ids {
                let list = *list;
                let keyset = page(SortKey::CreatedAt, false, per_list);
                let none = ItemFilter::default();
                expected.extend(
                    app.app.db.read(move |c| items::list_after(c, list, &none, &keyset).map_err(DbError::from)).await.unwrap(),
                );
            }
            assert_eq!(found, expected, "{} lists, {per_list} of each", ids.len());
        }
    }
}
