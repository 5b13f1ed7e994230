//! The search index, which differs between the engines, and its triggers.

use std::collections::BTreeSet;

use super::{ENGINES, SEARCH_INDEX, query_texts};
use crate::support::Database;

/// Returns the triggers that migrations create, as (name, table).
fn triggers(database: &Database) -> BTreeSet<(String, String)> {
    let rows = query_texts(
        database,
        "SELECT name AS a, tbl_name AS b, NULL AS c, NULL AS d FROM sqlite_master WHERE type = 'trigger'",
        "SELECT t.tgname::text AS a, t.tgrelid::regclass::text AS b, NULL AS c, NULL AS d
         FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid
         WHERE r.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal",
    );
    rows.into_iter().map(|[name, table, ..]| (name, table)).collect()
}

/// Returns the relations of the search index and their kinds.
fn search_index(database: &Database) -> Vec<[String; 2]> {
    let rows = query_texts(
        database,
        "SELECT name AS a, type AS b, NULL AS c, NULL AS d FROM pragma_table_list WHERE name LIKE 'search%' ORDER BY name",
        "SELECT c.relname::text AS a, coalesce(m.amname, 'table')::text AS b, NULL AS c, NULL AS d
         FROM pg_class c LEFT JOIN pg_am m ON m.oid = c.relam AND c.relkind = 'i'
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relname LIKE 'search%' ORDER BY c.relname",
    );
    rows.into_iter().map(|[name, kind, ..]| [name, kind]).collect()
}

#[test]
fn triggers_match_on_both_engines() {
    let [sqlite, postgres] = ENGINES.map(|engine| triggers(&Database::new(engine)));
    assert_eq!(sqlite, postgres);
    assert!(sqlite.len() >= 2, "{sqlite:?}");
}

#[test]
fn each_engine_has_its_search_index() {
    let [sqlite, postgres] = ENGINES.map(|engine| search_index(&Database::new(engine)));
    // There is no content table: the texts are not stored twice.
    let shadows =
        ["config", "data", "docsize", "idx"].map(|name| [format!("{SEARCH_INDEX}_{name}"), "shadow".to_owned()]);
    assert_eq!(sqlite[0], [SEARCH_INDEX, "virtual"]);
    assert_eq!(sqlite[1..], shadows);
    assert_eq!(postgres, [["search_index", "table"], ["search_index_pkey", "btree"], ["search_index_terms", "gin"]]);
}
