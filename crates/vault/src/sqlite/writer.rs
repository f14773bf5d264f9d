//! The one thread that writes. Calls that wait while it commits share the next commit.
//!
//! Each call runs in a savepoint of one transaction, so that a refused call leaves no trace and
//! harms no other. Nobody is answered before the commit is durable. The same thread moves pages
//! from the write-ahead log to the main file, after the answers. If the store fails, everyone in
//! the group is told so, the thread ends, and with it the vault.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
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
        let answer = self.queue(bytes, work)?;
        answer.recv().map_err(|_| self.gone())?
    }

    /// As [`Writer::call`], for what deletes: afterwards it is not in the log either, unless
    /// somebody reads from there for long; then soon.
    pub(super) fn erase<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, VaultError> {
        self.fatal.check()?;
        let answer = self.enqueue(0, true, work)?;
        answer.recv().map_err(|_| self.gone())?
    }

    fn queue<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Receiver<Result<T, VaultError>>, VaultError> {
        self.enqueue(bytes, false, work)
    }

    fn enqueue<T: Send + 'static>(
        &self,
        bytes: usize,
        leaves_traces: bool,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Receiver<Result<T, VaultError>>, VaultError> {
        let (reply, answer) = sync_channel(1);
        let call = Call { bytes, leaves_traces, work: Some(work), done: None, reply };
        let queue = self.queue.as_ref().expect("the queue is open until the writer is dropped");
        queue.send(Box::new(call)).map_err(|_| self.gone())?;
        Ok(answer)
    }

    /// The thread ended, and perhaps it said why.
    fn gone(&self) -> VaultError {
        self.fatal.note("the writing thread ended".into())
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
    /// Whether it deletes what must not be found in the log afterwards.
    fn leaves_traces(&self) -> bool;
    /// Runs inside a savepoint; says whether to keep the changes.
    fn run(&mut self, connection: &Connection) -> Result<bool, String>;
    /// Answers, after the commit or its failure.
    fn answer(self: Box<Self>, committed: Result<(), VaultError>);
}

struct Call<T, F> {
    bytes: usize,
    leaves_traces: bool,
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

    fn leaves_traces(&self) -> bool {
        self.leaves_traces && matches!(self.done, Some(Ok(_)))
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
    // Whether erased content may still be in the log.
    let mut has_traces = false;
    loop {
        let first = match has_traces {
            false => calls.recv().map_err(|_| RecvTimeoutError::Disconnected),
            true => calls.recv_timeout(Duration::from_millis(TRACES_RETRY_MS)),
        };
        let mut group = Vec::new();
        let committed = match first {
            Ok(first) => commit(&connection, first, calls, &mut group),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        has_traces |= group.iter().any(|job| job.leaves_traces());
        let cleared = committed.and_then(|()| {
            let clear = || clear_log(&connection).map_err(|error| error.to_string());
            if has_traces { clear().map(|is_clear| has_traces = !is_clear) } else { Ok(()) }
        });
        let answer = cleared.map_err(|why| fatal.note(why));
        let go_on = answer.is_ok();
        group.into_iter().for_each(|job| job.answer(answer.clone()));
        if !go_on {
            return;
        }
        if let Err(error) = checkpoint(&connection) {
            fatal.note(error.to_string());
            return;
        }
    }
}

/// Moves all of the log's pages to the main file and cuts the log to nothing, so that no old page
/// with deleted content is left in it. False if somebody still reads from it: then it is tried
/// again.
pub(super) fn clear_log(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("PRAGMA wal_checkpoint(TRUNCATE)")?;
    statement.query_row([], |row| Ok(row.get::<_, i64>(0)? == 0))
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

/// How long after a reader was in the way the log is cleared again, in milliseconds.
const TRACES_RETRY_MS: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_BYTES: u64 = 4_096;

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

    /// Queues a call that waits in the writer until the gate is opened, so that the calls queued
    /// meanwhile form a group with it.
    fn gate(writer: &Writer) -> SyncSender<()> {
        let (open, gate) = sync_channel::<()>(1);
        let first = move |connection: &Connection| {
            gate.recv().expect("the gate is opened");
            insert(connection, 0)
        };
        writer.queue(0, first).unwrap();
        open
    }

    #[test]
    fn waiting_calls_share_a_commit_and_a_refused_one_harms_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let open = gate(&writer);
        let good = |number, seen| {
            let other = reader(&folder);
            let call = move |connection: &Connection| {
                insert(connection, number)?;
                assert_eq!(numbers(&other), [0; 0], "nothing of the group is committed yet");
                assert_eq!(numbers(connection), seen, "what was refused before is undone");
                Ok(())
            };
            writer.queue(0, call).unwrap()
        };
        let refused = || {
            let call = |connection: &Connection| {
                insert(connection, 9)?;
                Err::<(), _>(VaultError::Invalid("no").into())
            };
            writer.queue(0, call).unwrap()
        };
        let no = VaultError::Invalid("no");
        let answers = [good(1, vec![0, 1]), refused(), good(2, vec![0, 1, 2]), refused()];
        open.send(()).unwrap();
        let answers = answers.map(|answer| answer.recv().unwrap());
        assert_eq!(numbers(&reader(&folder)), [0, 1, 2], "an answer comes after the commit");
        assert_eq!(answers, [Ok(()), Err(no.clone()), Ok(()), Err(no)]);
    }

    #[test]
    fn a_broken_call_takes_its_group_and_the_writer_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let open = gate(&writer);
        let good = writer.queue(0, |connection| insert(connection, 1)).unwrap();
        let broken = writer.queue(0, |_| Err::<(), _>(Failure::Broken("the disk".into()))).unwrap();
        let after = writer.queue(0, |connection| insert(connection, 2)).unwrap();
        open.send(()).unwrap();
        let fatal = Err(VaultError::Fatal("the disk".into()));
        assert_eq!(good.recv().unwrap(), fatal, "its own work was fine, but is not durable");
        assert_eq!(broken.recv().unwrap(), fatal);
        after.recv().expect_err("nobody is left to answer");
        assert_eq!(writer.call(0, |connection| insert(connection, 3)), fatal);
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
        let pages = |name: &str| {
            let bytes = std::fs::metadata(folder.path().join(name)).unwrap().len();
            bytes / PAGE_BYTES
        };
        let written = 3 * LOG_PAGES_MAX;
        for _ in 0..written / 256 {
            let blob = |connection: &Connection| {
                connection.execute(
                    "INSERT INTO numbers VALUES (zeroblob(?))",
                    [256 * PAGE_BYTES as i64],
                )?;
                Ok(())
            };
            writer.call(0, blob).unwrap();
        }
        assert!(pages("test.sqlite") >= LOG_PAGES_MAX);
        assert!(pages("test.sqlite-wal") < 2 * LOG_PAGES_MAX, "it starts over");
    }
}
