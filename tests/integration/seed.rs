//! Sample and generated data.

use std::{collections::HashSet, time::Duration};

use bucketlist::{
    auth::Hasher,
    config::PasswordSettings,
    db::{
        DbConnection,
        migrations::Migrator,
        repositories::{self, search, search_text},
        schema::{bucketlists, items, users},
    },
    domain::{
        Bucketlist, BucketlistContent, BucketlistId, Email, Keyset, NewBucketlist, PasswordPolicy, Role, SeededRandom,
        Timestamp, User, UserFilter, UserId,
    },
    seed::{
        ADMIN_EMAIL, ADMIN_PASSWORD, DEMO_EMAIL, DEMO_PASSWORD, DUMMY_PASSWORD, DummyOptions, RowCounts, SEEDED_AT,
        SeedError, Standard, insert_dummy, insert_standard,
    },
};
use chrono::NaiveDate;
use diesel::{dsl::count_star, prelude::*};

use crate::support::{Database, Engine};

/// Returns a hasher with the lowest cost.
fn hasher() -> Hasher {
    Hasher::new(PasswordSettings { min_length: 8, memory_kib: 8, passes: 1, reset_ttl: Duration::ZERO }).unwrap()
}

fn seed_standard(c: &mut DbConnection) -> Option<Standard> {
    insert_standard(c, &hasher(), &SeededRandom::new(1), "localhost:8000", Timestamp::from_micros(SEEDED_AT + 1))
        .unwrap()
}

fn seed_dummy(c: &mut DbConnection, options: DummyOptions) -> Result<RowCounts, SeedError> {
    insert_dummy(c, &hasher(), &SeededRandom::new(1), &options, &mut |_| ())
}

const FEW: DummyOptions = DummyOptions { users: 3, lists: 40, items: 30, rng_seed: 1 };

type Item = (i64, i64, String, Option<String>, String, bool, Option<i64>, Option<NaiveDate>, i64, i64);
type List = (i64, i64, String, Option<String>, String, i64, i64, i64, i64);

fn read_all(c: &mut DbConnection) -> (Vec<User>, Vec<List>, Vec<Item>) {
    let keyset = Keyset::oldest_first(None, i64::MAX);
    let mut users = repositories::users::list_after(c, &UserFilter::default(), &keyset).unwrap();
    users.sort_by_key(|user| user.id);
    (users, bucketlists::table.order(bucketlists::id).load(c).unwrap(), items::table.order(items::id).load(c).unwrap())
}

/// Checks the invariants of any data.
fn assert_invariants(c: &mut DbConnection) {
    assert_eq!(search::count_missing(c), Ok(0), "every row is indexed");
    let (users, lists, items) = read_all(c);
    for user in &users {
        let email = Email::parse(&user.email).unwrap();
        assert_eq!(email.key(), user.email_key);
        assert!(!user.name.is_empty() && user.name.chars().count() <= 100);
    }
    for (id, owner, name, description, text, total, done, created_at, updated_at) in &lists {
        let user = users.iter().find(|user| user.id.get() == *owner).unwrap();
        let inside: Vec<&Item> = items.iter().filter(|item| item.1 == *id).collect();
        assert_eq!(*total, i64::try_from(inside.len()).unwrap(), "{name}");
        assert_eq!(*done, i64::try_from(inside.iter().filter(|item| item.5).count()).unwrap(), "{name}");
        assert_eq!(*text, search_text(name, description.as_deref()));
        assert!(user.created_at.micros() <= *created_at && created_at <= updated_at);
        assert!(!name.is_empty() && name.chars().count() <= 100);
        for (_, _, name, description, text, done, done_at, _, made_at, changed_at) in inside {
            assert_eq!(*text, search_text(name, description.as_deref()));
            assert_eq!(*done, done_at.is_some());
            assert!(created_at <= made_at && made_at <= changed_at && *changed_at <= SEEDED_AT, "{name}");
            assert!(done_at.is_none_or(|at| at >= *made_at));
            assert!(!name.is_empty() && name.chars().count() <= 200);
        }
    }
    let names: HashSet<(i64, &str)> = lists.iter().map(|list| (list.1, list.2.as_str())).collect();
    assert_eq!(names.len(), lists.len(), "names are unique for each owner");
}

/// Checks that the search index has no pending entries, which would slow down searches.
fn assert_no_pending_entries(c: &mut DbConnection) {
    #[derive(QueryableByName)]
    struct Index {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        waiting_pages: i64,
        #[diesel(sql_type = diesel::sql_types::Array<diesel::sql_types::Text>)]
        options: Vec<String>,
    }
    if let DbConnection::Postgres(c) = c {
        let index: Index = diesel::sql_query(
            "SELECT gin_clean_pending_list(oid) AS waiting_pages, reloptions AS options
             FROM pg_class WHERE oid = 'search_index_terms'::regclass",
        )
        .get_result(c)
        .unwrap();
        let options = ["fastupdate=on", "gin_pending_list_limit=128"].map(str::to_owned);
        assert_eq!((index.waiting_pages, index.options), (0, options.to_vec()));
    }
}

/// Checks that a seed generates the same rows in two databases, except for the IDs.
fn assert_same_data(mut one: Migrator, mut other: Migrator) {
    seed_dummy(one.connection(), FEW).unwrap();
    // The IDs differ.
    seed_standard(other.connection()).unwrap();
    let (users_before, lists_before, items_before) = read_all(other.connection());
    seed_dummy(other.connection(), FEW).unwrap();
    let rows = |database: &mut Migrator, skip: (usize, usize, usize)| {
        let (users, lists, items) = read_all(database.connection());
        let user = |user: User| (user.email, user.name, user.role, user.created_at);
        let list = |l: List| (l.2, l.3, l.4, l.5, l.6, l.7, l.8);
        let item = |i: Item| (i.2, i.3, i.5, i.6, i.7, i.8, i.9);
        (
            users.into_iter().skip(skip.0).map(user).collect::<Vec<_>>(),
            lists.into_iter().skip(skip.1).map(list).collect::<Vec<_>>(),
            items.into_iter().skip(skip.2).map(item).collect::<Vec<_>>(),
        )
    };
    let skip = (users_before.len(), lists_before.len(), items_before.len());
    assert!(rows(&mut one, (0, 0, 0)) == rows(&mut other, skip));
}

both_engines! {
    async fn sample_data_is_inserted_once(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let seeded = seed_standard(c).unwrap();
        assert_eq!((seeded.admin, seeded.demo), (1, 2));
        assert_invariants(c);
        let before = read_all(c);
        assert_eq!(before.1.len() as u64, seeded.lists);
        assert_eq!(before.2.len() as u64, seeded.items);
        assert_eq!(seed_standard(c), None);
        assert_eq!(read_all(c), before);
    }

    async fn sample_data_matches_the_examples_of_the_contract(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        seed_standard(c).unwrap();
        let (users, lists, items) = read_all(c);
        let account_fields = |user: &User| (user.email.clone(), user.name.clone(), user.role, user.created_at.micros());
        assert_eq!(account_fields(&users[0]), ("admin@example.com".into(), "Admin".into(), Role::Admin, SEEDED_AT));
        assert_eq!(account_fields(&users[1]), ("demo@example.com".into(), "Demo".into(), Role::User, SEEDED_AT));
        let list = repositories::bucketlists::find(c, UserId::new(2), BucketlistId::new(1)).unwrap();
        let at = Timestamp::from_micros(SEEDED_AT);
        let example = Some(Bucketlist {
            id: BucketlistId::new(1),
            name: "See the world".into(),
            description: Some("Places to visit once.".into()),
            items_total: 5,
            items_done: 1,
            created_at: at,
            updated_at: at,
        });
        assert_eq!(list, example);
        assert_eq!(lists.len(), 4);
        let example: Item = (
            1,
            1,
            "Watch the northern lights".into(),
            Some("Tromsø, far from the city.".into()),
            "watch the northern lights\ntromsø, far from the city.".into(),
            false,
            None,
            NaiveDate::from_ymd_opt(2027, 2, 1),
            SEEDED_AT,
            SEEDED_AT,
        );
        assert_eq!(items[0], example);
        assert!(items[..5].iter().all(|item| item.1 == 1));
    }

    async fn dummy_data_has_the_requested_amount(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let mut reported = Vec::new();
        // More than a batch and, with the lists, than a transaction.
        let options = DummyOptions { users: 3, lists: 40, items: 100, rng_seed: 1 };
        let summary =
            insert_dummy(c, &hasher(), &SeededRandom::new(1), &options, &mut |items| reported.push(items)).unwrap();
        assert_eq!(summary, RowCounts { users: 3, lists: 120, items: 12_000 });
        assert!(reported.is_sorted() && reported.len() > 2 && reported.last() == Some(&12_000));
        assert_invariants(c);
        assert_no_pending_entries(c);
        let (users, lists, items) = read_all(c);
        assert_eq!((users.len(), lists.len(), items.len()), (3, 120, 12_000));
        let share = |wanted: fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count() * 100 / items.len();
        assert!((35..=45).contains(&share(|item| item.5)), "about 40% of the items are completed");
        assert!((30..=36).contains(&share(|item| item.7.is_some())), "about a third of the items have a due date");
        assert!(items.iter().map(|item| &item.2).collect::<HashSet<_>>().len() > 5_000, "too few distinct names");
    }

    async fn rng_seed_is_inserted_once_and_others_are_independent(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        seed_dummy(c, FEW).unwrap();
        let again = seed_dummy(c, DummyOptions { users: 1, ..FEW }).unwrap_err();
        assert!(again.to_string().starts_with("data of --rng-seed 1 already exists"), "{again}");
        // Seed 11 starts with the digits of seed 1.
        seed_dummy(c, DummyOptions { rng_seed: 11, ..FEW }).unwrap();
        assert_invariants(c);
        assert_eq!(users::table.select(count_star()).first::<i64>(c).unwrap(), 6);
    }

    async fn later_rows_get_new_ids(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        seed_dummy(c, DummyOptions { users: 2, lists: 0, items: 5, rng_seed: 1 }).unwrap();
        seed_dummy(c, DummyOptions { users: 0, lists: 9, items: 9, rng_seed: 2 }).unwrap();
        seed_dummy(c, DummyOptions { users: 1, lists: 2, items: 3, rng_seed: 3 }).unwrap();
        let owner = read_all(c).0.pop().unwrap().id;
        let content = BucketlistContent { name: "Mine".into(), description: None };
        let now = Timestamp::from_micros(SEEDED_AT);
        let new = NewBucketlist { owner, content, created_at: now, updated_at: now };
        let list = repositories::bucketlists::insert(c, &new).unwrap();
        assert_eq!((owner.get(), list.id.get()), (3, 3));
    }

    async fn same_rng_seed_generates_same_data(engine: Engine) {
        let (one, other) = (Database::new(engine), Database::new(engine));
        assert_same_data(one.migrator(), other.migrator());
    }
}

#[test]
fn both_engines_have_the_same_data() {
    let (one, other) = (Database::new(Engine::Sqlite), Database::new(Engine::Postgres));
    assert_same_data(one.migrator(), other.migrator());
}

#[test]
fn too_many_rows_are_rejected_before_inserting() {
    let database = Database::new(Engine::Sqlite);
    let mut migrator = database.migrator();
    for (users, lists, items) in [(u64::MAX, 2, 1), (1 << 62, 1, 1), (1 << 30, 1 << 30, 1 << 30), (0, 0, u64::MAX)] {
        let error = seed_dummy(migrator.connection(), DummyOptions { users, lists, items, rng_seed: 1 }).unwrap_err();
        assert!(matches!(error, SeedError::TooMany), "{error}");
    }
}

#[test]
fn seeded_passwords_meet_the_policy() {
    for (email, password) in
        [(ADMIN_EMAIL, ADMIN_PASSWORD), (DEMO_EMAIL, DEMO_PASSWORD), ("a.b+dummy1-1@example.com", DUMMY_PASSWORD)]
    {
        assert_eq!(PasswordPolicy { min_length: 8 }.problems(password, email), []);
    }
}
