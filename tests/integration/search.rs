//! Full-text search on both engines: matches, ranking and isolation of users.

use std::collections::BTreeSet;

use bucketlist::{
    db::{
        DbConnection, DbError,
        repositories::{
            bucketlists, items,
            search::{self, Document, MAX_HITS},
        },
    },
    domain::{
        BucketlistContent, BucketlistId, ItemContent, ItemId, NewBucketlist, NewItem, OffsetRange, SearchHit,
        SearchQuery, SearchTarget, Timestamp, UserId, snippet,
    },
};
use diesel::{prelude::*, sql_query, sql_types::BigInt};

use crate::support::{Actor, Database, TestApp};

type Text = (&'static str, Option<&'static str>);

/// Inserts a bucketlist with its items and their search documents, as the services do.
async fn insert_documents(app: &TestApp, owner: i64, list: Text, texts: Vec<Text>) -> (i64, Vec<i64>) {
    let write = move |c: &mut DbConnection| {
        let owner = UserId::new(owner);
        let at = Timestamp::from_micros;
        let content = BucketlistContent { name: list.0.to_owned(), description: list.1.map(str::to_owned) };
        let new = NewBucketlist { owner, content, created_at: at(1), updated_at: at(1) };
        let bucketlist_id = bucketlists::insert(c, &new)?.id;
        bucketlists::adjust_counts(c, owner, bucketlist_id, i64::try_from(texts.len()).unwrap(), 0)?;
        let mut documents = vec![Document {
            target: SearchTarget::Bucketlist,
            id: bucketlist_id.get(),
            owner,
            name: list.0,
            description: list.1,
        }];
        for (name, description) in texts.clone() {
            let content = ItemContent {
                name: name.to_owned(),
                description: description.map(str::to_owned),
                done: true,
                due_on: None,
            };
            let new = NewItem { bucketlist_id, content, done_at: None, created_at: at(2), updated_at: at(3) };
            let id = items::insert(c, &new)?.id.get();
            documents.push(Document { target: SearchTarget::Item, id, owner, name, description });
        }
        search::upsert(c, &documents)?;
        Ok::<_, DbError>((bucketlist_id.get(), documents[1..].iter().map(|document| document.id).collect()))
    };
    app.app.db.write(write).await.unwrap()
}

async fn find_range(app: &TestApp, owner: i64, text: &str, range: OffsetRange) -> Vec<SearchHit> {
    let Some(query) = SearchQuery::parse(text) else { return Vec::new() };
    app.app.db.read(move |c| search::find(c, UserId::new(owner), &query, range).map_err(DbError::from)).await.unwrap()
}

async fn find(app: &TestApp, owner: i64, text: &str) -> Vec<SearchHit> {
    find_range(app, owner, text, OffsetRange { offset: 0, limit: 50 }).await
}

/// Returns the names of the hits, best match first.
async fn names(app: &TestApp, user: &Actor<'_>, text: &str) -> Vec<String> {
    find(app, user.id(), text).await.into_iter().map(|hit| hit.name).collect()
}

/// Returns the number of documents in the search index.
fn count_documents(database: &Database) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let count: Count = match database.migrator().connection() {
        // A query without a term counts all rows.
        DbConnection::Sqlite(c) => sql_query("SELECT count(*) AS count FROM search_index").get_result(c),
        DbConnection::Postgres(c) => sql_query("SELECT count(*) AS count FROM search_index").get_result(c),
    }
    .unwrap();
    count.count
}

both_engines! {
    async fn search_matches_word_prefixes(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (list, item_ids) =
            insert_documents(&app, user.id(), ("Alpine summers", None), vec![("Hike around Zermatt", Some("Alps & cheese"))]).await;
        let found = find(&app, user.id(), "alp").await;
        let expected = [
            SearchHit {
                target: SearchTarget::Bucketlist,
                id: list,
                bucketlist_id: BucketlistId::new(list),
                name: "Alpine summers".to_owned(),
                description: None,
                done: None,
                created_at: Timestamp::from_micros(1),
                updated_at: Timestamp::from_micros(1),
            },
            SearchHit {
                target: SearchTarget::Item,
                id: item_ids[0],
                bucketlist_id: BucketlistId::new(list),
                name: "Hike around Zermatt".to_owned(),
                description: Some("Alps & cheese".to_owned()),
                done: Some(true),
                created_at: Timestamp::from_micros(2),
                updated_at: Timestamp::from_micros(3),
            },
        ];
        assert_eq!(found, expected, "a match in the name ranks before one in the description");
        assert_eq!(names(&app, &user, "ZERM hik").await, ["Hike around Zermatt"], "all words match, in any order");
        assert_eq!(names(&app, &user, "cheese zermatt").await, ["Hike around Zermatt"], "words match in name and description");
        for text in ["ermatt", "zermatt summers", "zermatts", "nothing", "?!"] {
            assert_eq!(names(&app, &user, text).await, [""; 0], "{text}");
        }
    }

    async fn search_supports_every_script(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let table = [
            ("Zürich", "zurich"),
            ("Sail to Tromsø", "TROMSO"),
            ("Straßenfest", "strasse"),
            ("東京タワーに登る", "京タワー"),
            ("富士山", "山"),
            ("เที่ยวทะเล", "ทะเล"),
            ("서울여행", "서울"),
            ("Увидеть Байкал", "байк"),
            ("ΟΔΟΣ ΕΡΜΟΥ", "οδός"),
            ("हिन्दी सीखो", "हिन्दी"),
            ("תל אביב", "אביב"),
            ("قراءة كتاب", "كتاب"),
            ("Surf 🏄🏽", "🏄"),
            ("🇳🇴 trip", "🇳🇴"),
            // This character is missing in older Unicode tables.
            ("🫨 shake", "🫨"),
            ("½ ㎞ of crawl", "km"),
        ];
        insert_documents(&app, user.id(), ("x", None), table.iter().map(|(text, _)| (*text, None)).collect()).await;
        for (text, searched) in table {
            assert_eq!(names(&app, &user, searched).await, [text], "{searched}");
        }
    }

    async fn search_returns_only_own_documents(engine: Engine) {
        let app = TestApp::new(engine);
        let users = [app.user().await, app.user().await];
        // Each of these IDs is a prefix of others.
        for id in [1, 10, 11, 12, 100] {
            app.execute(&format!(
                "INSERT INTO users (id, email, email_key, name, search_text, password_hash, role, disabled, created_at, updated_at)
                 SELECT {id}, 'o{id}@example.com', 'o{id}@example.com', 'o', 'o', 'x', 'user', FALSE, 1, 1
                 WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = {id})"
            ));
            insert_documents(&app, id, ("Secret plan", Some("2 secrets")), vec![("Secret step", None)]).await;
        }
        insert_documents(&app, users[1].id(), ("Mine", None), vec![("My secret", None)]).await;
        for owner in [1, 10, 11, 12, 100] {
            let found = find(&app, owner, "secret").await;
            assert_eq!(found.len(), 2 + usize::from(owner == users[1].id()), "{found:?}");
        }
        assert_eq!(find(&app, 0, "secret").await, []);
        assert_eq!(find(&app, 1, "0_secret").await, []);

        // The owner is read from the row, even if the index has a different one.
        let (list, _) = insert_documents(&app, 10, ("Treasure", None), vec![]).await;
        let write_wrong_owner = move |c: &mut DbConnection| {
            let document = Document { target: SearchTarget::Bucketlist, id: list, owner: UserId::new(11), name: "Treasure", description: None };
            search::upsert(c, &[document]).map_err(DbError::from)
        };
        app.app.db.write(write_wrong_owner).await.unwrap();
        assert_eq!(find(&app, 11, "treasure").await, []);
    }

    async fn search_index_follows_updates(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (_, item_ids) = insert_documents(&app, user.id(), ("Reading", None), vec![("Old novel", Some("Dusty"))]).await;
        let (id, owner) = (item_ids[0], user.id());
        let replace = move |c: &mut DbConnection| {
            let content =
                ItemContent { name: "New poem".to_owned(), description: None, done: false, due_on: None };
            items::replace(c, ItemId::new(id), &content, None, Timestamp::from_micros(9))?;
            let document = Document { target: SearchTarget::Item, id, owner: UserId::new(owner), name: "New poem", description: None };
            search::upsert(c, &[document]).map_err(DbError::from)
        };
        app.app.db.write(replace).await.unwrap();
        for (searched, expected) in [("old", 0), ("dust", 0), ("new", 1), ("poem", 1), ("reading", 1)] {
            assert_eq!(find(&app, owner, searched).await.len(), expected, "{searched}");
        }
        assert_eq!(count_documents(&app.database), 2);
    }

    async fn search_index_follows_rollbacks(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (list, item_ids) = insert_documents(&app, user.id(), ("Kept", None), vec![("Kept item", None)]).await;
        let owner = user.id();
        let failing_write = move |c: &mut DbConnection| {
            let document = Document { target: SearchTarget::Item, id: item_ids[0], owner: UserId::new(owner), name: "Vanished", description: None };
            search::upsert(c, &[document])?;
            bucketlists::delete(c, UserId::new(owner), BucketlistId::new(list))?;
            Err::<(), _>(DbError::Panicked)
        };
        app.app.db.write(failing_write).await.unwrap_err();
        assert_eq!(names(&app, &user, "vanished").await, [""; 0]);
        assert_eq!(names(&app, &user, "kept").await.len(), 2);
    }

    async fn search_index_follows_every_kind_of_deletion(engine: Engine) {
        let app = TestApp::new(engine);
        let [user, other] = [app.user().await, app.user().await];
        for owner in [user.id(), other.id()] {
            insert_documents(&app, owner, ("First", None), vec![("One", None), ("Two", None)]).await;
        }
        let (second, second_items) = insert_documents(&app, user.id(), ("Second", None), vec![("Three", None), ("Four", None)]).await;
        assert_eq!(count_documents(&app.database), 9);
        user.delete(&format!("/v1/bucketlists/{second}/items/{}", second_items[0])).await.expect(204);
        assert_eq!(count_documents(&app.database), 8, "an item was deleted");
        user.delete(&format!("/v1/bucketlists/{second}")).await.expect(204);
        assert_eq!(count_documents(&app.database), 6, "a bucketlist with an item was deleted");
        assert_eq!(names(&app, &user, "four").await, [""; 0]);
        app.execute(&format!("DELETE FROM users WHERE id = {}", user.id()));
        assert_eq!(count_documents(&app.database), 3, "a user with all data was deleted");
        assert_eq!(names(&app, &other, "two").await, ["Two"]);
    }

    async fn ranking_prefers_names_then_newer_documents(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let texts = vec![
            ("Paris in spring", Some("By train")),
            ("Eat bread and cheese", Some("Paris has the best of it")),
            ("Paris in autumn", Some("On foot")),
            ("Something else", None),
        ];
        insert_documents(&app, user.id(), ("Ideas", None), texts).await;
        let expected = ["Paris in autumn", "Paris in spring", "Eat bread and cheese"];
        assert_eq!(names(&app, &user, "paris").await, expected);
        for (offset, name) in expected.iter().enumerate() {
            let range = OffsetRange { offset: i64::try_from(offset).unwrap(), limit: 1 };
            let page = find_range(&app, user.id(), "paris", range).await;
            assert_eq!(page.iter().map(|hit| &hit.name).collect::<Vec<_>>(), [name]);
        }
        assert_eq!(find_range(&app, user.id(), "paris", OffsetRange { offset: 3, limit: 1 }).await, []);
    }

    async fn ranking_prefers_exact_words_over_prefixes(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let texts = vec![
            ("The art of cooking", None),
            ("Artful artist", Some("art")),
            ("Art, part two", Some("nothing else")),
            ("Sing", Some("the art of song")),
            ("Article", None),
            ("Something else", None),
        ];
        insert_documents(&app, user.id(), ("Arts", None), texts).await;
        let expected = ["Art, part two", "The art of cooking", "Arts", "Article", "Artful artist", "Sing"];
        assert_eq!(names(&app, &user, "art").await, expected);
        // All words must match; a prefix does not affect the ranking.
        assert_eq!(names(&app, &user, "art of").await, ["The art of cooking", "Sing"]);
        assert_eq!(names(&app, &user, "art o").await, ["The art of cooking", "Sing"]);
        assert_eq!(names(&app, &user, "a").await, ["Arts", "Article", "Art, part two", "Artful artist", "The art of cooking", "Sing"]);
    }

    async fn exact_name_ranks_first_among_many_matches(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        insert_documents(&app, user.id(), ("Old", None), vec![("Peak", None)]).await;
        insert_documents(&app, user.id(), ("New", Some("of peaks")), vec![("Peaks", Some("a peak")); 1_200]).await;
        let range = OffsetRange { offset: 0, limit: 3 };
        let found = find_range(&app, user.id(), "peak", range).await;
        assert_eq!(found.iter().map(|hit| hit.name.as_str()).collect::<Vec<_>>(), ["Peak", "Peaks", "Peaks"]);
        // The bucketlist has the word only in its description: it matches first but ranks last.
        let max_hits = usize::try_from(MAX_HITS).unwrap();
        let mut all = Vec::new();
        for offset in (0..MAX_HITS + 200).step_by(100) {
            all.extend(find_range(&app, user.id(), "peak", OffsetRange { offset, limit: 100 }).await);
        }
        assert_eq!((all.len(), all.last().unwrap().name.as_str()), (max_hits, "Peaks"));
        let ids: BTreeSet<_> = all.iter().map(|hit| hit.id).collect();
        assert_eq!(ids.len(), max_hits, "no duplicates");
    }

    async fn query_syntax_in_search_text_is_not_interpreted(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let hostile = [
            "\"", "\"\"", "*", "a*", "-a", "a -b", "^a", "NEAR(a b, 5)", "NEAR/2", "a AND", "OR", "NOT a", "name:a",
            "{name description}: a", "'; DROP TABLE items; --", "a & !b", "a <-> b", "a:*A", "\\'", "('", "\\", "%", "_",
            "1_a", "a\u{1}b", "\u{E000}", "🏽", "\u{301}", "a\u{200B}b", "(((((((((((((", "x\"x'x\\x", "$1 ?1 :a @a",
        ];
        insert_documents(&app, user.id(), ("Harmless", None), hostile.map(|text| (text, Some(text))).to_vec()).await;
        for text in hostile {
            let found = find(&app, user.id(), text).await;
            let is_found = found.iter().any(|hit| hit.name == text);
            assert_eq!(is_found, SearchQuery::parse(text).is_some(), "{text:?}: {found:?}");
            for hit in found {
                let snippet_text = snippet(&hit.name, &SearchQuery::parse(text).unwrap()).unwrap_or_default();
                assert!(!snippet_text.replace("<mark>", "").replace("</mark>", "").contains(['<', '>', '"', '\'']), "{snippet_text}");
            }
        }
        let long = "0123456789 abcdef ".repeat(600);
        assert_eq!(find(&app, user.id(), &long).await, []);
        assert_eq!(find(&app, user.id(), &"東".repeat(10_000)).await, []);
        let ranges = [(-5, 10), (0, 0), (0, -1), (i64::MAX, i64::MAX)];
        for (offset, limit) in ranges {
            find_range(&app, user.id(), "a", OffsetRange { offset, limit }).await;
        }
    }

    async fn documents_of_any_size_are_indexed(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let long: &'static str = Box::leak((0..4_000_u32).filter_map(|n| char::from_u32(0x4E00 + n)).collect::<String>().into());
        let words: &'static str = Box::leak(format!("{} end", "𐐀𐐁 a1 ".repeat(60_000)).into());
        insert_documents(&app, user.id(), ("Long", Some(long)), vec![("Longer", Some(words))]).await;
        let end: String = long.chars().skip(3_990).collect();
        assert_eq!(names(&app, &user, &end).await, ["Long"]);
        assert_eq!(names(&app, &user, "A1").await, ["Longer"]);
    }

    async fn batch_of_1000_items_uses_few_queries_and_keeps_bucketlists_findable(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let owner = user.id();
        let (list, _) = insert_documents(&app, owner, ("Common ground", None), vec![("Common item", None); 1_200]).await;
        let found = find_range(&app, owner, "common", OffsetRange { offset: 0, limit: 2_000 }).await;
        assert_eq!(found.len(), usize::try_from(MAX_HITS).unwrap(), "the maximum number of hits");
        assert!(found.iter().any(|hit| hit.target == SearchTarget::Bucketlist && hit.id == list));

        let reindex = move |c: &mut DbConnection| {
            let document = |id| Document { target: SearchTarget::Item, id, owner: UserId::new(owner), name: "Renamed item", description: None };
            let documents: Vec<_> = found.iter().filter(|hit| hit.target == SearchTarget::Item).map(|hit| document(hit.id)).collect();
            search::upsert(c, &documents).map_err(DbError::from)
        };
        let before = app.app.db.statements();
        app.app.db.write(reindex).await.unwrap();
        let statements = app.app.db.statements() - before;
        assert!(statements <= 6, "{statements}");
        assert_eq!(find_range(&app, owner, "renamed", OffsetRange { offset: 990, limit: 20 }).await.len(), 9);
        let before = app.app.db.statements();
        find(&app, owner, "item").await;
        assert_eq!(app.app.db.statements() - before, 1);
    }

    async fn migration_builds_a_missing_search_index(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let texts = vec![("Learn to juggle", Some("Three balls")); 2_500];
        insert_documents(&app, user.id(), ("Learning", None), texts).await;
        let all = count_documents(&app.database);
        let mut migrator = app.database.migrator();
        while migrator.down().unwrap().is_some_and(|name| !name.ends_with("_create_search_index")) {}
        migrator.up().unwrap();
        assert_eq!(count_documents(&app.database), all);
        assert_eq!(names(&app, &user, "juggle balls").await.len(), 50);
        drop(migrator);

        // An interrupted migration, or rows of an older release without search documents.
        app.execute("DELETE FROM search_index");
        app.app.db.write(|c| search::index_missing_rows(c, SearchTarget::Item, 0, 700).map_err(DbError::from)).await.unwrap();
        assert_eq!(count_documents(&app.database), 700);
        app.database.migrator().up().unwrap();
        assert_eq!(count_documents(&app.database), all);
        assert_eq!(names(&app, &user, "learning").await, ["Learning"]);
    }
}
