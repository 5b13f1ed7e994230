//! Sample data: an administrator, a demo user and a few lists. The examples of the contract show the first rows, so those
//! must not change.

use chrono::NaiveDate;
use diesel::{Connection, dsl::exists, prelude::*, result::Error};

use super::{SEEDED_AT, SeedError, api_client, export, hash, incident, job, lock, usage};
use crate::{
    auth::Hasher,
    db::{
        DbConnection,
        repositories::{
            bucketlists, items,
            search::{self, Document},
            users,
        },
        schema,
    },
    domain::{
        BucketlistContent, Email, ItemContent, NewBucketlist, NewItem, NewUser, Random, Role, SearchTarget, Timestamp,
        UserId,
    },
};

/// Email address of the administrator.
pub const ADMIN_EMAIL: &str = "admin@example.com";
/// Password of the administrator, which is public.
pub const ADMIN_PASSWORD: &str = "bucketlist-admin";
/// Email address of the demo user.
pub const DEMO_EMAIL: &str = "demo@example.com";
/// Password of the demo user, which is public.
pub const DEMO_PASSWORD: &str = "bucketlist-demo";

/// IDs and number of the inserted rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standard {
    /// ID of the administrator.
    pub admin: i64,
    /// ID of the demo user, who owns the lists.
    pub demo: i64,
    /// Number of lists.
    pub lists: u64,
    /// Number of items.
    pub items: u64,
}

struct SampleList {
    name: &'static str,
    description: Option<&'static str>,
    items: &'static [SampleItem],
}

struct SampleItem {
    name: &'static str,
    description: Option<&'static str>,
    done: bool,
    /// Year, month, day.
    due_on: Option<(i32, u32, u32)>,
}

const fn item(name: &'static str, description: &'static str) -> SampleItem {
    SampleItem { name, description: Some(description), done: false, due_on: None }
}

const fn plain(name: &'static str) -> SampleItem {
    SampleItem { name, description: None, done: false, due_on: None }
}

impl SampleItem {
    const fn done(self) -> Self {
        Self { done: true, ..self }
    }

    const fn due(self, year: i32, month: u32, day: u32) -> Self {
        Self { due_on: Some((year, month, day)), ..self }
    }
}

const LISTS: &[SampleList] = &[
    SampleList {
        name: "See the world",
        description: Some("Places to visit once."),
        items: &[
            item("Watch the northern lights", "Tromsø, far from the city.").due(2027, 2, 1),
            item("Stand on the rim of the Grand Canyon", "At sunrise, before the buses come.").done(),
            item("See the cherry trees bloom in Kyoto", "The Philosopher's Path, early in April.").due(2027, 4, 5),
            plain("Take the night train to Istanbul"),
            item("Walk to Machu Picchu", "Four days on the Inca Trail; permits are gone half a year ahead.")
                .due(2028, 6, 15),
        ],
    },
    SampleList {
        name: "Learn for life",
        description: Some("One thing at a time, each until it is fun."),
        items: &[
            item("Speak enough Portuguese to tell a joke", "And to understand the answer.").due(2026, 12, 31),
            plain("Bake a sourdough loaf that rises").done(),
            item("Play a nocturne by heart", "Chopin, opus 9 number 2."),
            item("Swim a kilometer of crawl", "Without stopping; the breathing is the hard part.").due(2026, 9, 1),
            plain("Take a first-aid course").done().due(2026, 3, 31),
        ],
    },
    SampleList {
        name: "Things to build",
        description: Some("With my own hands, and not from a kit."),
        items: &[
            item("Build a bookshelf without screws", "Oak, with dovetail joints.").due(2026, 11, 1),
            item("Put up a weather station", "Rain, wind and temperature, on a page of its own.").done(),
            plain("Sew a coat that fits"),
            item("Write a small compiler", "For a language with functions and nothing else."),
        ],
    },
    SampleList {
        name: "Read before forty",
        description: None,
        items: &[
            plain("Middlemarch").done(),
            item("War and Peace", "Both epilogues count.").due(2027, 12, 31),
            item("One Hundred Years of Solitude", "With the family tree at hand."),
            plain("The Art of Computer Programming, volume 1"),
        ],
    },
];

/// Inserts the sample data in one transaction. Returns `None` and inserts nothing if there are users. `host` is the host of the server in
/// the captured request.
///
/// # Errors
/// [`SeedError::Hash`] and [`SeedError::Query`]; nothing is inserted then.
pub fn insert_standard(
    c: &mut DbConnection,
    hasher: &Hasher,
    random: &dyn Random,
    host: &str,
    now: Timestamp,
) -> Result<Option<Standard>, SeedError> {
    // Check before the slow hashing, because most databases contain data, and again under the lock.
    if has_users(c)? {
        return Ok(None);
    }
    let admin_hash = hash(hasher, ADMIN_PASSWORD, random)?;
    let demo_hash = hash(hasher, DEMO_PASSWORD, random)?;
    // If the clock is slow, rows must not have timestamps in the future.
    let created_at = Timestamp::from_micros(SEEDED_AT).min(now);
    c.transaction(|c| {
        lock(c)?;
        if has_users(c)? {
            return Ok(None);
        }
        let admin = insert_user(c, ADMIN_EMAIL, "Admin", Role::Admin, &admin_hash, created_at)?;
        let demo = insert_user(c, DEMO_EMAIL, "Demo", Role::User, &demo_hash, created_at)?;
        let mut seeded = Standard { admin: admin.get(), demo: demo.get(), lists: 0, items: 0 };
        for list in LISTS {
            insert_list(c, demo, list, created_at)?;
            seeded.lists += 1;
            seeded.items += list.items.len() as u64;
        }
        export::insert(c, demo, now)?;
        incident::insert(c, demo.get(), host, now)?;
        api_client::insert(c, demo, created_at)?;
        job::insert(c, now)?;
        usage::insert(c, demo, now)?;
        Ok(Some(seeded))
    })
}

fn has_users(c: &mut DbConnection) -> QueryResult<bool> {
    diesel::select(exists(schema::users::table.select(schema::users::id))).get_result(c)
}

fn insert_user(
    c: &mut DbConnection,
    email: &str,
    name: &str,
    role: Role,
    hash: &str,
    at: Timestamp,
) -> QueryResult<UserId> {
    let email = Email::parse(email).map_err(|error| Error::SerializationError(Box::new(error)))?;
    let user =
        NewUser { email: &email, name, password_hash: hash, role, disabled: false, created_at: at, updated_at: at };
    users::insert(c, &user).map(|user| user.id)
}

fn insert_list(c: &mut DbConnection, owner: UserId, list: &SampleList, at: Timestamp) -> QueryResult<()> {
    let (name, description) = (list.name, list.description);
    let content = BucketlistContent { name: name.to_owned(), description: description.map(str::to_owned) };
    let new = NewBucketlist { owner, content, created_at: at, updated_at: at };
    let bucketlist_id = bucketlists::insert(c, &new)?.id;
    let mut documents =
        vec![Document { target: SearchTarget::Bucketlist, id: bucketlist_id.get(), owner, name, description }];
    let (mut total, mut done) = (0, 0);
    for item in list.items {
        let content = ItemContent {
            name: item.name.to_owned(),
            description: item.description.map(str::to_owned),
            done: item.done,
            due_on: item.due_on.and_then(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day)),
        };
        let new = NewItem { bucketlist_id, content, done_at: None, created_at: at, updated_at: at };
        let id = items::insert(c, &new)?.id.get();
        let (name, description) = (item.name, item.description);
        documents.push(Document { target: SearchTarget::Item, id, owner, name, description });
        total += 1;
        done += i64::from(item.done);
    }
    bucketlists::adjust_counts(c, owner, bucketlist_id, total, done)?;
    search::upsert(c, &documents)
}
