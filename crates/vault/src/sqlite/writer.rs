//! The one thread that writes. Calls that wait while it commits share the next commit.
//!
//! Each call runs in a savepoint of one transaction, so that a refused call leaves no trace and harms no
//! other. Nobody is answered before the commit is durable. The same thread moves pages from the
//! write-ahead log to the main file, after the answers. If the store fails, everyone in the group is told
//! so, the thread ends, and with it the vault.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;

use super::failure::{Failure, Fatal};
use crate::{
    VaultError,
    limits::{GROUP_BYTES_MAX, GROUP_CALLS_MAX, LOG_PAGES_MAX, QUEUE_CALLS_MAX},
};

/// The callers' side of the writing thread. Dropping it ends the thread, after what is queued.
pub(super) struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    fatal: Fatal,
}

impl Writer {
    /// Starts the thread, which owns the connection from now on.
    pub(super) fn start(connection: Connection, fatal: Fatal) -> Result<Self, Failure> {
        let (queue, calls) = sync_channel(QUEUE_CALLS_MAX);
        let noted = fatal.clone();
        let thread = thread::Builder::new()
            .name("vault-writer".into())
            .spawn(move || run(connection, &calls, &noted))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), fatal })
    }

    /// Runs a piece of work on the writing connection. Durable, or undone, on return.
    /// `bytes` is about how much it writes.
    pub(super) fn call<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, VaultError> {
        self.fatal.check()?;
        let (reply, answer) = sync_channel(1);
        let call = Call { bytes, work: Some(work), done: None, reply };
        let queue = self.queue.as_ref().expect("the queue is open until the writer is dropped");
        let gone = || self.fatal.note("the writing thread ended".into());
        queue.send(Box::new(call)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already answered to whoever waited for it.
            let _ = thread.join();
        }
    }
}

/// A call, with its answer's type forgotten.
trait Job: Send {
    fn bytes(&self) -> usize;
    /// Runs inside a savepoint; says whether to keep the changes.
    fn run(&mut self, connection: &Connection) -> Result<bool, String>;
    /// Answers, after the commit or its failure.
    fn answer(self: Box<Self>, committed: Result<(), VaultError>);
}

struct Call<T, F> {
    bytes: usize,
    work: Option<F>,
    done: Option<Result<T, VaultError>>,
    reply: SyncSender<Result<T, VaultError>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, Failure> + Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, connection: &Connection) -> Result<bool, String> {
        let work = self.work.take().expect("a call runs once");
        let done = match work(connection) {
            Ok(value) => Ok(value),
            Err(Failure::Refused(error)) => Err(error),
            Err(Failure::Broken(why)) => return Err(why),
        };
        let keep = done.is_ok();
        self.done = Some(done);
        Ok(keep)
    }

    fn answer(self: Box<Self>, committed: Result<(), VaultError>) {
        let Call { done, reply, .. } = *self;
        let done = committed.and_then(|()| done.expect("a committed call has run"));
        // A caller that no longer waits needs no answer.
        let _ = reply.send(done);
    }
}

fn run(connection: Connection, calls: &Receiver<Box<dyn Job>>, fatal: &Fatal) {
    while let Ok(first) = calls.recv() {
        let mut group = Vec::new();
        let committed = commit(&connection, first, calls, &mut group);
        let committed = committed.map_err(|why| fatal.note(why));
        let go_on = committed.is_ok();
        group.into_iter().for_each(|job| job.answer(committed.clone()));
        if !go_on {
            return;
        }
        if let Err(error) = checkpoint(&connection) {
            fatal.note(error.to_string());
            return;
        }
    }
}

/// Runs the first call and those that wait, up to the limits of a group, in one transaction.
fn commit(
    connection: &Connection,
    first: Box<dyn Job>,
    calls: &Receiver<Box<dyn Job>>,
    group: &mut Vec<Box<dyn Job>>,
) -> Result<(), String> {
    let execute = |sql: &str| {
        let mut statement = connection.prepare_cached(sql).map_err(|error| error.to_string())?;
        statement.execute([]).map_err(|error| error.to_string())
    };
    let mut bytes = 0;
    let mut next = Some(first);
    // The calls enter the group first, so that they are answered if the transaction does not begin.
    let mut begun = false;
    while let Some(job) = next {
        bytes += job.bytes();
        group.push(job);
        if !begun {
            execute("BEGIN IMMEDIATE")?;
            begun = true;
        }
        execute("SAVEPOINT call")?;
        let job = group.last_mut().expect("just pushed");
        if !job.run(connection)? {
            execute("ROLLBACK TO call")?;
        }
        execute("RELEASE call")?;
        let full = group.len() >= GROUP_CALLS_MAX || bytes >= GROUP_BYTES_MAX;
        next = if full { None } else { calls.try_recv().ok() };
    }
    execute("COMMIT")?;
    Ok(())
}

/// Moves the log's pages to the main file once there are many; the log then starts over.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    let pages = |mode: &str| -> rusqlite::Result<i64> {
        let mut statement = connection.prepare_cached(mode)?;
        statement.query_row([], |row| row.get(1))
    };
    if pages("PRAGMA wal_checkpoint(NOOP)")? > LOG_PAGES_MAX as i64 {
        pages("PRAGMA wal_checkpoint(PASSIVE)")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with one table, and its writer.
    fn writer(folder: &tempfile::TempDir) -> Writer {
        let connection = Connection::open(folder.path().join("test.sqlite")).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE numbers (number INTEGER)")
            .unwrap();
        Writer::start(connection, Fatal::default()).ok().unwrap()
    }

    fn insert(connection: &Connection, number: u32) -> Result<(), Failure> {
        connection.execute("INSERT INTO numbers VALUES (?)", [number])?;
        Ok(())
    }

    fn numbers(connection: &Connection) -> Vec<u32> {
        let mut statement =
            connection.prepare("SELECT number FROM numbers ORDER BY number").unwrap();
        let numbers = statement.query_map([], |row| row.get(0)).unwrap();
        numbers.collect::<Result<_, _>>().unwrap()
    }

    fn reader(folder: &tempfile::TempDir) -> Connection {
        Connection::open(folder.path().join("test.sqlite")).unwrap()
    }

    /// Runs a call that waits until `others` calls are queued behind it, so that they form a group.
    fn in_one_group(writer: &Writer, others: &[&(dyn Fn() + Sync)]) {
        let (open, gate) = sync_channel::<()>(0);
        thread::scope(|scope| {
            scope.spawn(move || {
                let first = move |connection: &Connection| {
                    gate.recv().expect("the gate is opened");
                    insert(connection, 0)
                };
                writer.call(0, first)
            });
            others.iter().for_each(|other| {
                scope.spawn(other);
            });
            // Long enough for the others to queue; if it is not, the assertions on a group fail.
            thread::sleep(std::time::Duration::from_millis(300));
            open.send(()).expect("the first call waits");
        });
    }

    #[test]
    fn waiting_calls_share_a_commit_and_a_refused_one_harms_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let good = || {
            let other = reader(&folder);
            let seen = writer.call(0, move |connection| {
                insert(connection, 1)?;
                assert_eq!(numbers(&other), [0; 0], "nothing of the group is committed yet");
                Ok(numbers(connection))
            });
            assert!(seen.unwrap().starts_with(&[0, 1]));
            assert!(numbers(&reader(&folder)).contains(&1), "it is durable when answered");
        };
        let refused = || {
            let outcome = writer.call(0, |connection| {
                insert(connection, 9)?;
                Err::<(), _>(VaultError::Invalid("no").into())
            });
            assert_eq!(outcome, Err(VaultError::Invalid("no")));
        };
        in_one_group(&writer, &[&good, &refused, &good, &refused]);
        assert_eq!(numbers(&reader(&folder)), [0, 1, 1]);
    }

    #[test]
    fn a_broken_call_takes_its_group_and_the_writer_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let fatal = |outcome: Result<(), VaultError>| {
            assert!(matches!(outcome, Err(VaultError::Fatal(_))), "{outcome:?}");
        };
        let good = || fatal(writer.call(0, |connection| insert(connection, 1)));
        let broken = || fatal(writer.call(0, |_| Err(Failure::Broken("the disk".into()))));
        in_one_group(&writer, &[&good, &broken, &good]);
        good();
        assert_eq!(numbers(&reader(&folder)), [0; 0]);
    }

    #[test]
    fn a_panicking_call_stops_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let outcome = writer.call(0, |_| -> Result<(), Failure> { panic!("on purpose") });
        assert!(matches!(outcome, Err(VaultError::Fatal(_))));
        let outcome = writer.call(0, |connection| insert(connection, 1));
        assert!(matches!(outcome, Err(VaultError::Fatal(_))));
        assert_eq!(numbers(&reader(&folder)), [0; 0]);
    }

    #[test]
    fn the_log_is_folded_into_the_file_when_it_is_long() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
        for _ in 0..LOG_PAGES_MAX / 100 {
            writer
                .call(0, |connection| {
                    let mut insert = connection.prepare("INSERT INTO numbers VALUES (?)")?;
                    // About four bytes of payload a row: 200 pages or so, 4,096 bytes each.
                    for number in 0..70_000 {
                        insert.execute([number])?;
                    }
                    Ok(())
                })
                .unwrap();
        }
        assert!(size("test.sqlite") > 2 * 4_096 * LOG_PAGES_MAX / 2);
        assert!(size("test.sqlite-wal") < 2 * 4_200 * LOG_PAGES_MAX, "it starts over");
    }
}
