//! Errors of migrations.

use std::{path::PathBuf, time::Duration};

/// An error while migrating.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database cannot be opened.
    #[error("cannot open the database: {}", one_line(.0))]
    Connect(#[from] diesel::ConnectionError),
    /// The SQLite database does not exist.
    #[error("database {} does not exist", .0.display())]
    Missing(PathBuf),
    /// A migration failed; it was rolled back.
    #[error("a migration failed and was rolled back: {0}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
    /// The database has migrations that this binary does not know.
    #[error("the database has migration {0}, which this version does not know")]
    Newer(String),
    /// The database cannot store every character.
    #[error("the database has the encoding {0}; UTF8 is required")]
    Encoding(String),
    /// The role may not create tables.
    #[error("role {role} may not create tables in schema {schema}")]
    Privilege { schema: String, role: String },
    /// The database did not respond in time.
    #[error("the database did not respond within {} seconds", .0.as_secs())]
    NoResponse(Duration),
}

impl MigrationError {
    /// Returns how to fix the error, if known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Newer(_) => {
                Some("start the version that has migrated it, or revert with its `bucketlist migrate down`".to_owned())
            }
            Self::Missing(_) => {
                Some("create it with `bucketlist serve` or `bucketlist migrate up`, or correct DATABASE_URL".to_owned())
            }
            Self::Encoding(_) => {
                Some("create one with `CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0`".to_owned())
            }
            Self::Privilege { schema, role } => {
                Some(format!("run `GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}` as the owner of the database"))
            }
            _ => None,
        }
    }
}

/// Joins the lines of a libpq message.
pub(in crate::db) fn one_line(error: &diesel::ConnectionError) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
