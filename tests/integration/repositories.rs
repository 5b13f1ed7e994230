//! The mapping of rows to entities: each value of an entity comes from the column of its name. No two values of a type are equal, so
//! that swapped columns are noticed.

use std::collections::BTreeMap;

use bucketlist::{
    db::{
        BatchableWork, DbConnection,
        migrations::Migrator,
        repositories::{
            audit, bucketlists, exports,
            idempotency::{self, StoredResponse},
            item_pages::{ListItemsByCursor, ListItemsByOffset},
            items,
            retrieval::{RetrieveBucketlist, RetrieveItem},
            sessions,
            token_status::ReadTokenStatus,
            users,
        },
        schema,
    },
    domain::{
        AuditEvent, AuditEventId, AuditFilter, Bucketlist, BucketlistId, CursorQuery, Export, ExportFormat, ExportId,
        ExportState, Item, ItemFilter, ItemId, ItemScope, Keyset, OffsetPage, OffsetQuery, RefreshToken, Role, Session,
        SessionId, Timestamp, TokenStatus, User, UserId,
    },
};
use chrono::NaiveDate;
use diesel::{QueryDsl, QueryResult, RunQueryDsl};

use crate::support::{Database, Engine};

const USER: UserId = UserId::new(1);

const fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// Inserts a row of each entity, with its own values in every column.
fn insert_entities(engine: Engine) -> Database {
    let database = Database::new(engine);
    for sql in [
        "INSERT INTO users (id, email, email_key, name, search_text, password_hash, role, disabled, created_at, updated_at, \
         revision, deprecation_notices_enabled) VALUES (1, 'Ada@b.c', 'ada@b.c', 'Ada', 'text', 'hash', 'admin', true, 11, 12, 13, \
         false)",
        "INSERT INTO bucketlists (id, user_id, name, description, search_text, items_total, items_done, created_at, \
         updated_at) VALUES (2, 1, 'List', 'About', 'text', 5, 3, 21, 22)",
        "INSERT INTO items (id, bucketlist_id, name, description, search_text, done, done_at, due_on, created_at, updated_at) \
         VALUES (3, 2, 'Item', 'Detail', 'text', true, 33, '2027-06-01', 31, 32)",
        "INSERT INTO sessions (id, user_id, user_agent, created_at, last_seen_at, expires_at) \
         VALUES (4, 1, 'Agent', 41, 42, 43)",
        "INSERT INTO exports (id, user_id, format, state, attempts, parts, records, created_at, finished_at, expires_at) \
         VALUES (5, 1, 'csv', 'finished', 54, 55, 56, 51, 52, 53)",
        "INSERT INTO audit_events (id, created_at, action, actor_id, target_type, target_id, request_id, address, detail) \
         VALUES (6, 61, 'user.created', 62, 'export', 63, 'request', '10.0.0.1', '{\"a\":\"b\"}')",
    ] {
        database.execute(sql);
    }
    database
}

/// Reads the status of `token` of a session, also together with that of another session.
fn token_status(c: &mut DbConnection, session_id: SessionId) -> QueryResult<Option<TokenStatus>> {
    let read = |session_id, token_id: &str| ReadTokenStatus { session_id, token_id: token_id.to_owned(), now: at(48) };
    let (token, unknown) = (read(session_id, "token"), read(SessionId::new(i64::MAX), "token"));
    let other_token = read(session_id, "other");
    let [status, not_found, other] =
        ReadTokenStatus::run_all(&[&token, &unknown, &other_token], c)?.try_into().expect("three statuses");
    assert_eq!((Some(token.run(c)?), not_found, Some(other_token.run(c)?)), (status.clone(), Some(None), other));
    Ok(status.flatten())
}

/// Lists the only item of its bucketlist, whose row has the counts 5 and 3, together with pages that do not have it.
fn expect_pages_with_item(c: &mut DbConnection, item: &Item) {
    let scope = |owner, bucketlist_id| ItemScope { owner, bucketlist_id };
    let own = scope(USER, item.bucketlist_id);
    let other_scopes = [scope(UserId::new(1_000), item.bucketlist_id), scope(USER, BucketlistId::new(1_000))];
    let page = |scope, page, per_page| {
        ListItemsByOffset::new(scope, &OffsetQuery { page, per_page, q: None }).expect("the page can share a statement")
    };
    let (first, second) = (page(own, 1, 20), page(own, 2, 7));
    let [of_another, elsewhere] = other_scopes.map(|scope| page(scope, 1, 20));
    let found = ListItemsByOffset::run_all(&[&of_another, &first, &second, &elsewhere, &first], c);
    let expected = |data: &[Item]| Some(Some(OffsetPage { data: data.to_vec(), total: 5 }));
    let with_item = expected(std::slice::from_ref(item));
    assert_eq!(found, Ok(vec![Some(None), with_item.clone(), expected(&[]), Some(None), with_item]));

    let after = |scope, created_after: Option<i64>| {
        let filter = ItemFilter { created_after: created_after.map(at), ..ItemFilter::default() };
        let query = CursorQuery { filter, keyset: Keyset::oldest_first(None, 20), with_total: false };
        ListItemsByCursor::new(scope, &query).expect("the page can share a statement")
    };
    let (first, since, later) = (after(own, None), after(own, Some(30)), after(own, Some(31)));
    let [of_another, elsewhere] = other_scopes.map(|scope| after(scope, None));
    let found = ListItemsByCursor::run_all(&[&first, &elsewhere, &later, &of_another, &since, &first], c).unwrap();
    let found: Vec<_> = found.into_iter().map(|page| page.expect("a page does not run alone")).collect();
    let counts = found.iter().flatten().map(|(counts, _)| {
        [None, Some(true)].map(|done| counts.count_matching(&ItemFilter { done, ..ItemFilter::default() }))
    });
    assert!(counts.eq([[5, 3]; 4]), "{found:?}");
    let pages: Vec<_> = found.into_iter().map(|page| page.map(|(_, items)| items)).collect();
    let with_item = || Some(vec![item.clone()]);
    assert_eq!(pages, [with_item(), None, Some(vec![]), None, with_item(), with_item()]);
}

both_engines! {
    async fn entities_have_the_values_of_their_columns(engine: Engine) {
        let database = insert_entities(engine);
        let mut outside = database.migrator();
        let c = outside.connection();
        let user = User {
            id: USER,
            email: "Ada@b.c".into(),
            email_key: "ada@b.c".into(),
            name: "Ada".into(),
            password_hash: "hash".into(),
            role: Role::Admin,
            disabled: true,
            deprecation_notices_enabled: false,
            created_at: at(11),
            updated_at: at(12),
        };
        assert_eq!(users::find(c, USER), Ok(Some(user)));
        let list = Bucketlist {
            id: BucketlistId::new(2),
            name: "List".into(),
            description: Some("About".into()),
            items_total: 5,
            items_done: 3,
            created_at: at(21),
            updated_at: at(22),
        };
        assert_eq!(bucketlists::find(c, USER, list.id), Ok(Some(list.clone())));
        let item = Item {
            id: ItemId::new(3),
            bucketlist_id: BucketlistId::new(2),
            name: "Item".into(),
            description: Some("Detail".into()),
            done: true,
            done_at: Some(at(33)),
            due_on: NaiveDate::from_ymd_opt(2027, 6, 1),
            created_at: at(31),
            updated_at: at(32),
        };
        let scope = ItemScope { owner: USER, bucketlist_id: item.bucketlist_id };
        assert_eq!(items::find(c, scope, item.id), Ok(Some(item.clone())));
        assert_eq!(items::list_first_per_bucketlist(c, &[item.bucketlist_id], 1), Ok(vec![item.clone()]));
        // Several requests share a statement, also for the same resource, and find nothing of another account or bucketlist.
        let retrieve = |owner, id| RetrieveBucketlist { owner, id };
        let (own, of_another) = (retrieve(USER, list.id), retrieve(UserId::new(1_000), list.id));
        let found = RetrieveBucketlist::run_all(&[&of_another, &own, &retrieve(USER, BucketlistId::new(1_000)), &own], c);
        assert_eq!(found, Ok(vec![Some(None), Some(Some(list.clone())), Some(None), Some(Some(list))]));
        let retrieve = |owner, bucketlist_id, id| RetrieveItem { scope: ItemScope { owner, bucketlist_id }, id };
        let own = retrieve(USER, item.bucketlist_id, item.id);
        let of_another = retrieve(UserId::new(1_000), item.bucketlist_id, item.id);
        let elsewhere = retrieve(USER, BucketlistId::new(1_000), item.id);
        let found = RetrieveItem::run_all(&[&elsewhere, &own, &of_another, &own], c);
        assert_eq!(found, Ok(vec![Some(None), Some(Some(item.clone())), Some(None), Some(Some(item.clone()))]));
        expect_pages_with_item(c, &item);
        let export = Export {
            id: ExportId::new(5),
            format: ExportFormat::Csv,
            state: ExportState::Finished,
            parts: Some(55),
            records: Some(56),
            created_at: at(51),
            finished_at: Some(at(52)),
            expires_at: at(53),
        };
        assert_eq!(exports::find(c, USER, export.id, at(50)), Ok(Some(export)));
        let event = AuditEvent {
            id: AuditEventId::new(6),
            created_at: at(61),
            action: "user.created".into(),
            actor_id: Some(UserId::new(62)),
            target_type: Some("export".into()),
            target_id: Some(63),
            request_id: Some("request".into()),
            address: Some("10.0.0.1".into()),
            detail: BTreeMap::from([("a".into(), "b".into())]),
        };
        assert_eq!(audit::list_after(c, &AuditFilter::default(), &Keyset::newest_first(None, 9)), Ok(vec![event]));
    }

    async fn sessions_and_tokens_have_the_values_of_their_columns(engine: Engine) {
        let database = insert_entities(engine);
        let mut outside = database.migrator();
        let c = outside.connection();
        let id = SessionId::new(4);
        let session = Session {
            id,
            user_agent: Some("Agent".into()),
            created_at: at(41),
            last_seen_at: at(42),
            expires_at: at(43),
        };
        assert_eq!(sessions::list_after(c, USER, at(40), &Keyset::newest_first(None, 9)), Ok(vec![session]));
        let status = TokenStatus {
            user_id: USER,
            role: Role::Admin,
            disabled: true,
            session_ended: false,
            token_revoked: false,
            revision: 13,
            is_cacheable: true,
        };
        assert_eq!(token_status(c, id), Ok(Some(status.clone())));
        sessions::insert_refresh_token(c, b"hash", id, at(44)).unwrap();
        sessions::rotate(c, b"hash", id, at(45), at(46)).unwrap();
        sessions::revoke(c, id, at(47)).unwrap();
        let token = RefreshToken {
            session_id: id,
            user_id: USER,
            rotated_at: Some(at(45)),
            session_created_at: at(41),
            session_revoked_at: Some(at(47)),
            session_expires_at: at(46),
        };
        assert_eq!(sessions::find_refresh_token(c, b"hash"), Ok(Some(token)));
        let ended = TokenStatus { session_ended: true, ..status.clone() };
        assert_eq!(token_status(c, id), Ok(Some(ended.clone())));
        sessions::revoke_token(c, "token", at(48)).unwrap();
        assert_eq!(token_status(c, id), Ok(Some(TokenStatus { token_revoked: true, ..ended })));
    }

    async fn unknown_word_is_an_error(engine: Engine) {
        let database = insert_entities(engine);
        database.execute("UPDATE exports SET format = 'xml'");
        let mut outside = database.migrator();
        let error = exports::find(outside.connection(), USER, ExportId::new(5), at(50)).unwrap_err();
        assert!(error.to_string().contains("unknown ExportFormat `xml`"), "{error}");
    }

    async fn idempotency_keys_of_earlier_releases_remain_valid(engine: Engine) {
        let database = insert_entities(engine);
        let mut migrator = database.migrator();
        let is_scoped = |migrator: &mut Migrator| {
            let applied = migrator.status().unwrap().applied;
            applied.iter().any(|name| name.ends_with("scope_idempotency_keys"))
        };
        while is_scoped(&mut migrator) {
            migrator.down().unwrap();
        }
        let fingerprint = match engine {
            Engine::Sqlite => "x'07'",
            Engine::Postgres => "decode('07', 'hex')",
        };
        for (name, result) in [("key", "resource"), ("\nregister key", "account")] {
            database.execute(&format!(
                "INSERT INTO idempotency_keys (user_id, name, fingerprint, result, expires_at) \
                 VALUES (1, '{name}', {fingerprint}, '{result}', 9)"
            ));
        }
        migrator.up().unwrap();
        for (scope, result) in [("", "resource"), ("registration", "account")] {
            let stored = StoredResponse { fingerprint: vec![7], version: 1, result: result.to_owned() };
            let found = idempotency::find(migrator.connection(), USER, scope, "key", at(8));
            assert_eq!(found, Ok(Some(stored)), "{scope}");
        }
        while is_scoped(&mut migrator) {
            migrator.down().unwrap();
        }
        let mut names: Vec<String> = schema::idempotency_keys::table
            .select(schema::idempotency_keys::name)
            .load(migrator.connection())
            .unwrap();
        names.sort();
        assert_eq!(names, ["\nregister key", "key"]);
    }
}
