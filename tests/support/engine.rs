//! The database engines that tests and benchmarks run on. Included by each binary with `#[path]`.

use std::sync::atomic::{AtomicU64, Ordering};

use bucketlist::db::{Options, Target, migrations::Migrator};
use diesel::connection::SimpleConnection;

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Runs each test on both engines: `async fn name(engine: Engine) { … }` or `fn name(engine: Engine) { … }` becomes
/// `name::sqlite` and `name::postgres`.
#[allow(unused_macros, reason = "benchmarks use the engines only")]
macro_rules! both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($engine:ident: Engine) $body:block)+) => {
        $(
            $(#[$meta])*
            mod $name {
                #[allow(unused_imports)]
                use super::*;

                async fn run($engine: crate::support::Engine) $body

                #[tokio::test]
                async fn sqlite() {
                    run(crate::support::Engine::Sqlite).await;
                }

                #[tokio::test]
                async fn postgres() {
                    run(crate::support::Engine::Postgres).await;
                }
            }
        )+
    };
    ($($(#[$meta:meta])* fn $name:ident($engine:ident: Engine) $body:block)+) => {
        $(
            $(#[$meta])*
            mod $name {
                #[allow(unused_imports)]
                use super::*;

                fn run($engine: crate::support::Engine) $body

                #[test]
                fn sqlite() {
                    run(crate::support::Engine::Sqlite);
                }

                #[test]
                fn postgres() {
                    run(crate::support::Engine::Postgres);
                }
            }
        )+
    };
}

/// A PostgreSQL schema that is dropped with this value.
pub struct PostgresSchema {
    name: String,
    has_role: bool,
    /// The URL of the server with this schema as the search path.
    pub url: String,
}

impl PostgresSchema {
    /// Creates an empty schema whose name begins with `prefix`, on the server in `TEST_DATABASE_URL`. If `TEST_POOLER_URL` is set, it
    /// is accessed through this connection pooler.
    pub fn create(prefix: &str) -> Self {
        if let Ok(pooler) = std::env::var("TEST_POOLER_URL") {
            return Self::for_role(prefix, &pooler);
        }
        let name = unique_name(prefix);
        let server = server_url();
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-csearch_path%3D{name}");
        execute_on_server(&format!("CREATE SCHEMA {name}"));
        Self { name, has_role: false, url }
    }

    /// Creates an empty schema, and a role of the same name that has it as the search path: a pooler does not accept a search path.
    /// The URL is that of `server` with the role.
    pub fn for_role(prefix: &str, server: &str) -> Self {
        let name = unique_name(prefix);
        execute_on_server(&format!(
            "CREATE ROLE {name} LOGIN SUPERUSER; ALTER ROLE {name} SET search_path = {name}; CREATE SCHEMA {name}"
        ));
        let mut url = url::Url::parse(server).unwrap();
        url.set_username(&name).unwrap();
        // Tests append parameters.
        url.set_query(Some("gssencmode=disable"));
        Self { name, has_role: true, url: url.into() }
    }

    /// Returns the name of the schema, and of its role.
    #[allow(dead_code, reason = "used by some test binaries")]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn unique_name(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{prefix}_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Drop for PostgresSchema {
    fn drop(&mut self) {
        let Self { name, has_role, .. } = self;
        let role = if *has_role { format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}") } else { String::new() };
        execute_on_server(&format!("SET client_min_messages = error; DROP SCHEMA {name} CASCADE; {role}"));
    }
}

/// Returns the URL of the PostgreSQL server that tests use.
pub fn server_url() -> String {
    std::env::var("TEST_DATABASE_URL").expect("set TEST_DATABASE_URL, or run `make test`")
}

fn execute_on_server(sql: &str) {
    let options = Options::new(Target::Postgres(server_url()), 1);
    Migrator::connect(&options).unwrap().connection().batch_execute(sql).unwrap();
}
