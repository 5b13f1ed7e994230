//! Generates the content of rows. One generator draws all values in a fixed order, so that the same seed and numbers
//! always generate the same rows.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate};
use fake::{
    Fake,
    faker::{
        address::en::CitySuffix,
        name::en::{FirstName, LastName},
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    SEEDED_AT,
    dummy::{DummyOptions, FirstIds},
    rows::{ItemRow, ListRow, UserRow},
    themes::{LIST_DESCRIPTIONS, THEMES, Topic},
    words::{BOOKS, BUILDS, DISHES, EVENTS, ITEM_DESCRIPTIONS, PLACES, QUESTS, SKILLS, WHENS},
};
use crate::{db::repositories::search_text, domain::Role};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// The first account is created two years before [`SEEDED_AT`].
const FIRST_USER: i64 = SEEDED_AT - 730 * DAY;
/// The last account is created a month before [`SEEDED_AT`].
const LAST_USER: i64 = SEEDED_AT - 30 * DAY;

/// Generates rows, owners first: a user, its first list, the items of that list, its second list, and so on.
pub(super) struct Generator {
    rng: StdRng,
    rng_seed: u64,
    users: u64,
    lists: u64,
    items: u64,
    next: FirstIds,
    password_hash: String,
    /// ID and creation time of the current user.
    user: (i64, i64),
    /// Number of lists of the current user by name.
    names: HashMap<&'static str, u64>,
    list: CurrentList,
}

struct CurrentList {
    id: i64,
    owner: i64,
    created_at: i64,
    topics: &'static [Topic],
    /// Number of items to generate, and how many of them are done. The counts of the list are known before its items.
    remaining: u64,
    remaining_done: u64,
}

/// Returns a LIKE pattern for the email addresses of a seed.
pub(super) fn email_pattern(rng_seed: u64) -> String {
    format!("%+dummy{rng_seed}-%@example.com")
}

impl Generator {
    pub(super) fn new(options: &DummyOptions, next: FirstIds, password_hash: String) -> Self {
        Self {
            rng: StdRng::seed_from_u64(options.rng_seed),
            rng_seed: options.rng_seed,
            users: options.users,
            lists: options.lists,
            items: options.items,
            next,
            password_hash,
            user: (0, FIRST_USER),
            names: HashMap::new(),
            list: CurrentList { id: 0, owner: 0, created_at: FIRST_USER, topics: &[], remaining: 0, remaining_done: 0 },
        }
    }

    /// Generates user `number`, counted from 0.
    pub(super) fn user(&mut self, number: u64) -> UserRow {
        let (first, last) = (self.first_name(), self.last_name());
        let email = format!("{}.{}+dummy{}-{}@example.com", letters(first), letters(last), self.rng_seed, number + 1);
        let name = format!("{first} {last}");
        let created_at = self.timestamp(FIRST_USER, LAST_USER, number, self.users);
        let id = next_id(&mut self.next.user);
        self.user = (id, created_at);
        self.names.clear();
        UserRow {
            id,
            email_key: email.clone(),
            search_text: search_text(&email, Some(&name)),
            email,
            name,
            password_hash: self.password_hash.clone(),
            role: Role::User.as_str(),
            disabled: false,
            created_at,
            updated_at: created_at,
        }
    }

    /// Generates list `number` of the current user, counted from 0.
    pub(super) fn list(&mut self, number: u64) -> ListRow {
        let (user_id, since) = self.user;
        let theme = self.pick(THEMES);
        let times = self.names.entry(theme.name).and_modify(|times| *times += 1).or_insert(1);
        let name = if *times == 1 { theme.name.to_owned() } else { format!("{} {times}", theme.name) };
        let description = self.chance(0.6).then(|| *self.pick(LIST_DESCRIPTIONS));
        let created_at = self.timestamp(since, SEEDED_AT, number, self.lists);
        let share: f64 = self.rng.random_range(0.2..0.6);
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let done = ((self.items as f64 * share).round() as u64).min(self.items);
        let id = next_id(&mut self.next.list);
        self.list = CurrentList {
            id,
            owner: user_id,
            created_at,
            topics: theme.topics,
            remaining: self.items,
            remaining_done: done,
        };
        ListRow {
            id,
            user_id,
            search_text: search_text(&name, description),
            name,
            description,
            items_total: count(self.items),
            items_done: count(done),
            created_at,
            updated_at: created_at,
        }
    }

    /// Generates item `number` of the current list, counted from 0.
    pub(super) fn item(&mut self, number: u64) -> ItemRow {
        let topic = *self.pick(self.list.topics);
        let name = self.name(topic);
        let description = self.chance(0.4).then(|| *self.pick(ITEM_DESCRIPTIONS));
        let created_at = self.timestamp(self.list.created_at, SEEDED_AT, number, self.items);
        // The probability depends on the remaining items, so that exactly `items_done` of them are done.
        let done = self.rng.random_range(0..self.list.remaining.max(1)) < self.list.remaining_done;
        self.list.remaining = self.list.remaining.saturating_sub(1);
        self.list.remaining_done = self.list.remaining_done.saturating_sub(u64::from(done));
        let done_at = done.then(|| self.rng.random_range(created_at..=SEEDED_AT));
        let due_on = self.chance(1.0 / 3.0).then(|| self.due(created_at)).flatten();
        ItemRow {
            id: next_id(&mut self.next.item),
            bucketlist_id: self.list.id,
            owner: self.list.owner,
            search_text: search_text(&name, description),
            name,
            description,
            done,
            done_at,
            due_on,
            created_at,
            updated_at: done_at.unwrap_or(created_at),
        }
    }

    /// Generates a date from one month to four years after `created_at`; some are in the past.
    fn due(&mut self, created_at: i64) -> Option<NaiveDate> {
        let days = self.rng.random_range(30..1_460);
        DateTime::from_timestamp_micros(created_at)?.date_naive().checked_add_days(Days::new(days))
    }

    fn name(&mut self, topic: Topic) -> String {
        let when = if self.chance(0.3) { self.pick(WHENS) } else { "" };
        match (topic, self.rng.random_range(0..3)) {
            (Topic::Travel, 0) => format!("See {}{when}", self.pick(PLACES)),
            (Topic::Travel, 1) => {
                format!("Show {} to {}{when}", self.pick(PLACES), self.first_name())
            }
            (Topic::Travel, _) => format!("Take the slow road from {} to {}{when}", self.city(), self.pick(PLACES)),
            (Topic::Learn, 0) => format!("Learn to {}{when}", self.pick(SKILLS)),
            (Topic::Learn, 1) => {
                format!("Teach {} to {}{when}", self.first_name(), self.pick(SKILLS))
            }
            (Topic::Learn, _) => format!("Learn to {} in {}{when}", self.pick(SKILLS), self.city()),
            (Topic::Cook, 0) => format!("Cook {}{when}", self.pick(DISHES)),
            (Topic::Cook, 1) => {
                format!("Cook {} for {}{when}", self.pick(DISHES), self.first_name())
            }
            (Topic::Cook, _) => format!("Taste {} in {}{when}", self.pick(DISHES), self.city()),
            (Topic::Read, 0) => format!("Read {}{when}", self.pick(BOOKS)),
            (Topic::Read, 1) => {
                format!("Read {} with {}{when}", self.pick(BOOKS), self.first_name())
            }
            (Topic::Read, _) => {
                format!("Give {} to {} {}{when}", self.pick(BOOKS), self.first_name(), self.last_name())
            }
            (Topic::Build, 0) => format!("Build {}{when}", self.pick(BUILDS)),
            (Topic::Build, 1) => format!("Build {} with {}{when}", self.pick(BUILDS), self.first_name()),
            (Topic::Build, _) => format!("Build {} for the house in {}{when}", self.pick(BUILDS), self.city()),
            (Topic::Move, 0) => format!("Finish {}{when}", self.pick(EVENTS)),
            (Topic::Move, 1) => format!("Finish {} in {}{when}", self.pick(EVENTS), self.city()),
            (Topic::Move, _) => format!("Finish {} before {} does", self.pick(EVENTS), self.first_name()),
            (Topic::Quest, 0) => format!("{}{when}", self.pick(QUESTS)),
            (Topic::Quest, 1) => format!("{} in {}{when}", self.pick(QUESTS), self.city()),
            (Topic::Quest, _) => format!("{} with {} {}{when}", self.pick(QUESTS), self.first_name(), self.last_name()),
        }
    }

    /// Returns a timestamp for row `number` of `total`: evenly distributed between `from` and `to`, with a random deviation. Later
    /// rows have later timestamps.
    fn timestamp(&mut self, from: i64, to: i64, number: u64, total: u64) -> i64 {
        let share = (to - from) / count(total).max(1);
        let begin = from + share * count(number);
        // Whole seconds, but not before the creation of the owner.
        let random = self.rng.random_range(begin..=begin + share);
        (random - random.rem_euclid(SECOND)).max(begin)
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    fn pick<T>(&mut self, from: &'static [T]) -> &'static T {
        &from[self.rng.random_range(0..from.len())]
    }

    fn first_name(&mut self) -> &'static str {
        FirstName().fake_with_rng(&mut self.rng)
    }

    fn last_name(&mut self) -> &'static str {
        LastName().fake_with_rng(&mut self.rng)
    }

    /// Generates a fictional town, such as "Hagenesbury".
    fn city(&mut self) -> String {
        let suffix: &str = CitySuffix().fake_with_rng(&mut self.rng);
        format!("{}{suffix}", self.last_name())
    }
}

fn next_id(next: &mut i64) -> i64 {
    let id = *next;
    *next += 1;
    id
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns the letters of a name that an email address can contain without quotes.
fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect()
}
