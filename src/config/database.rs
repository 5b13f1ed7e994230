//! Parses the settings of the database.

use std::path::Path;

use super::parse::VariableParser;
use crate::db::{PostgresUrl, Target};

impl VariableParser<'_> {
    pub(super) fn parse_pool_size(&mut self, name: &'static str) -> u32 {
        if self.non_empty(name).is_some() {
            return self.parse_integer(name);
        }
        let postgres = self.non_empty("DATABASE_URL").is_some_and(|url| url.starts_with("postgres"));
        if postgres {
            return 10;
        }
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        u32::try_from(cores.clamp(2, 16)).unwrap_or(2)
    }

    /// Parses the URLs of replicas, separated by whitespace or commas. A URL can contain commas between its hosts.
    pub(super) fn parse_replicas(&mut self, name: &'static str) -> Vec<Target> {
        let primary = self.non_empty("DATABASE_URL");
        let mut targets = Vec::new();
        for url in split_urls(self.non_empty(name).unwrap_or_default()) {
            if Some(url) == primary {
                self.add_error(name, "contains the URL of DATABASE_URL; list only its standbys");
                continue;
            }
            match postgres(url) {
                Ok(target) if targets.contains(&target) => {
                    self.add_error(name, "contains a URL twice; list each standby once");
                }
                Ok(target) => targets.push(target),
                Err(problem) => self.add_error(name, format!("each URL {problem}")),
            }
        }
        targets
    }

    pub(super) fn parse_database(&mut self, name: &'static str, data_dir: &Path) -> Target {
        let default = Target::Sqlite(data_dir.join("bucketlist.db"));
        let Some(url) = self.non_empty(name) else { return default };
        let target = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            postgres(url)
        } else if let Some(path) = url.strip_prefix("sqlite://").filter(|path| !path.is_empty()) {
            sqlite(path)
        } else {
            Err("must start with sqlite:// or postgres://")
        };
        target.unwrap_or_else(|problem| {
            self.add_error(name, problem);
            default
        })
    }
}

/// Accepts what libpq accepts, several hosts and sockets included, but requires the name of the database.
fn postgres(url: &str) -> Result<Target, &'static str> {
    match PostgresUrl::parse(url) {
        Some(parsed) if parsed.has_name() => Ok(Target::Postgres(url.to_owned())),
        _ => Err(
            "must have the form postgres://USER:PASSWORD@HOST/NAME, with special characters encoded, such as %40 for @; \
             several hosts are separated by commas",
        ),
    }
}

/// Splits a list of URLs. A comma separates two URLs only if a scheme follows.
fn split_urls(text: &str) -> Vec<&str> {
    let is_url = |text: &str| text.starts_with("postgres://") || text.starts_with("postgresql://");
    let mut urls = Vec::new();
    for mut part in text.split_whitespace() {
        while let Some((end, _)) = part.match_indices(',').find(|(at, _)| is_url(&part[at + 1..])) {
            urls.push(&part[..end]);
            part = &part[end + 1..];
        }
        urls.push(part.trim_end_matches(','));
    }
    urls.retain(|url| !url.is_empty());
    urls
}

fn sqlite(path: &str) -> Result<Target, &'static str> {
    if path.contains(":memory:") {
        return Err("must name a file: each connection to `:memory:` would have a separate, empty database");
    }
    if path.contains('?') || path.starts_with("file:") {
        return Err("must be sqlite:// and a path without parameters such as `?mode=…`, which SQLite URIs have");
    }
    Ok(Target::Sqlite(path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_libpq_are_accepted() {
        for url in [
            "postgres://ada:pw@db.example.com/lists",
            "postgresql://db1.example.com:5432,db2.example.com:5433/lists?target_session_attrs=read-write",
            "postgres://db1,db2,[2001:db8::1]:5433/lists",
            "postgres:///lists?host=/var/run/postgresql",
            "postgres://ada@/lists?host=/var/run/postgresql&port=5433",
            "postgres://%2Fvar%2Frun%2Fpostgresql/lists",
            "postgres://?host=/socket&dbname=lists",
        ] {
            assert_eq!(postgres(url), Ok(Target::Postgres(url.to_owned())), "{url}");
        }
        for url in ["postgres://db/", "postgres://db", "postgres://db:port/lists", "postgres://db1:1,db2:x/lists"] {
            assert!(postgres(url).is_err(), "{url}");
        }
    }

    #[test]
    fn lists_of_urls_are_split_between_urls() {
        let (one, several) = ("postgres://db1/lists", "postgresql://db2:5433,db3/lists?sslmode=require");
        for separator in [" ", "\n", ",", ", ", " , "] {
            let text = format!("{one}{separator}{several}");
            assert_eq!(split_urls(&text), [one, several], "{text:?}");
        }
        assert_eq!(split_urls(&format!("{one},")), [one]);
        assert_eq!(split_urls("db1,db2"), ["db1,db2"]);
        assert!(split_urls(" , ").is_empty());
    }

    #[test]
    fn sqlite_memory_and_parameters_are_rejected() {
        assert_eq!(sqlite("data/lists.db"), Ok(Target::Sqlite("data/lists.db".into())));
        for path in [":memory:", "file::memory:"] {
            assert!(sqlite(path).unwrap_err().contains("must name a file"), "{path}");
        }
        for path in ["data/lists.db?mode=ro", "file:data/lists.db", "/data/lists.db?cache=shared"] {
            assert!(sqlite(path).unwrap_err().contains("without parameters"), "{path}");
        }
    }
}
