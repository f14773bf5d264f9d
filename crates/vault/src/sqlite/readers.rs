//! Connections that only read, as many as there are readers at one time.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use rusqlite::Connection;

use super::{failure::Failure, schema};
use crate::limits::READERS_MAX;

/// A pool of read connections.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// A pool for a database that the writer has opened.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    /// Reads with an idle connection, or with a new one. A connection whose read broke is not used
    /// again.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        // A vector of idle connections is sound whatever happened to a thread that held it.
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let popped = idle().pop();
        let connection = match popped {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let answer = work(&connection)?;
        let mut idle = idle();
        if idle.len() < READERS_MAX {
            idle.push(connection);
        }
        Ok(answer)
    }

    fn connect(&self) -> Result<Connection, Failure> {
        let connection = Connection::open_with_flags(&self.path, schema::reader_flags())?;
        schema::reader(&connection)?;
        Ok(connection)
    }
}
