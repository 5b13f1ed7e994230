//! Connections of commands that only read.

use super::{MigrationError, Migrator};
use crate::db::{
    DbConnection, Options, Target,
    connection::Manager,
    pooler::BeginStatements,
    postgres::SessionTimeouts,
    read_only::{can_be_read_unlocked, open_immutable},
};

impl Migrator {
    /// Connects to an existing database for reading. Unlike [`Self::connect`], it also opens an SQLite database that cannot be written, and does not
    /// create a missing one.
    ///
    /// # Errors
    /// [`MigrationError::Missing`] and the errors of [`Self::connect`].
    pub fn connect_for_reading(options: &Options) -> Result<Self, MigrationError> {
        let Target::Sqlite(path) = &options.target else { return Self::connect(options) };
        if !path.exists() {
            return Err(MigrationError::Missing(path.clone()));
        }
        match Self::connect(options) {
            Err(MigrationError::Connect(error)) if can_be_read_unlocked(path, &error) => {
                let timeouts = SessionTimeouts::default();
                let manager =
                    Manager::new(options.target.clone(), timeouts, options.prepared, std::sync::Arc::default());
                let connection = DbConnection::Sqlite(open_immutable(path)?);
                Ok(Self { manager, connection, begin: BeginStatements::default() })
            }
            result => result,
        }
    }
}
