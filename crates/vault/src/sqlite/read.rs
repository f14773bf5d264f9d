//! Every question asked of the database, for readers and for the writer before it writes.

use proof::Hash;
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::{
    failure::Failure,
    rows::{self, Held, int, number},
};
use crate::{
    AnchoredBatch, Counts, EmergencyEntry, JobPart, KeptCase, KeptMessage, Link, MemberId,
    MessageCounts, OwnScope, PatientId, RecordId, Run, ScopeTag, SealedRecord, SealedScope, Tally,
    Token, Version, Versions, WantedErasure,
    blobs::Blobs,
    limits::{PAGE_BYTES_MAX, PAGE_ITEMS_MAX},
};

/// Which of this node's records.
pub(super) enum Select {
    All,
    Record(RecordId),
    Scope(ScopeTag),
    Patient(PatientId),
    Token(Token),
}

/// Which of this node's scopes.
pub(super) enum Scopes {
    Tag(ScopeTag),
    Patient(PatientId),
}

pub(super) fn latest_version(
    connection: &Connection,
    record: RecordId,
) -> Result<Option<u32>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT version FROM records r WHERE record = ? {VISIBLE} ORDER BY version DESC LIMIT 1",
    ))?;
    Ok(statement.query_row([record.0], |row| row.get(0)).optional()?)
}

pub(super) fn last_version(connection: &Connection, record: RecordId) -> Result<u32, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT max(
             coalesce((SELECT max(version) FROM records WHERE record = ?1), 0),
             coalesce((SELECT version FROM last_versions WHERE record = ?1), 0))",
    )?;
    Ok(statement.query_row([record.0], |row| row.get(0))?)
}

pub(super) fn record(
    connection: &Connection,
    blobs: &Blobs,
    record: RecordId,
    version: Version,
) -> Result<Option<SealedRecord>, Failure> {
    let (least, most) = match version {
        Version::Latest => (0, u32::MAX),
        Version::At(version) => (version, version),
    };
    let sql = records(&format!(
        "WHERE r.record = ? AND r.version BETWEEN ? AND ? {VISIBLE} ORDER BY r.version DESC"
    ));
    let mut statement = connection.prepare_cached(&sql)?;
    let held = statement.query_row(params![record.0, least, most], Held::read).optional()?;
    held.map(|held| held.load(blobs)).transpose()
}

pub(super) fn select(
    connection: &Connection,
    blobs: &Blobs,
    select: &Select,
    versions: Versions,
    from: u64,
    max: usize,
) -> Result<Vec<SealedRecord>, Failure> {
    let value: Option<&[u8]> = match select {
        Select::All => None,
        Select::Record(record) => Some(&record.0),
        Select::Scope(scope) => Some(&scope.0),
        Select::Patient(patient) => Some(patient),
        Select::Token(token) => Some(&token.0),
    };
    let sql = select_sql(select, versions);
    page(connection, blobs, &sql, params![int(from), value], max)
}

/// `?1` is the first sequence number, `?2` the record, scope, patient or token.
fn select_sql(select: &Select, versions: Versions) -> String {
    let condition = match select {
        Select::All => "?2 IS NULL",
        Select::Record(_) => "r.record = ?2",
        Select::Scope(_) => "r.scope = ?2",
        Select::Patient(_) => "r.patient = ?2",
        Select::Token(_) => {
            "r.sequence IN (SELECT sequence FROM tokens WHERE token = ?2 AND sequence >= ?1)"
        }
    };
    let newest = match versions {
        Versions::All => "",
        Versions::Latest => {
            "AND NOT EXISTS
                 (SELECT 1 FROM records n WHERE n.record = r.record AND n.version > r.version
                      AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.sequence = n.sequence))"
        }
    };
    // A record's versions rise with its sequence numbers, and its index is by version.
    let order = if matches!(select, Select::Record(_)) { "r.version" } else { "r.sequence" };
    records(&format!("WHERE r.sequence >= ?1 AND {condition} {VISIBLE} {newest} ORDER BY {order}"))
}

pub(super) fn scopes(connection: &Connection, scopes: Scopes) -> Result<Vec<OwnScope>, Failure> {
    let (condition, value): (&str, &[u8]) = match &scopes {
        Scopes::Tag(scope) => ("scope = ?", &scope.0),
        Scopes::Patient(patient) => ("patient = ?", patient),
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {}, wrapped FROM scopes WHERE {condition} ORDER BY scope, epoch",
        rows::SCOPE_COLUMNS
    ))?;
    let scopes = statement.query_map([value], rows::own_scope)?;
    Ok(scopes.collect::<Result<_, _>>()?)
}

pub(super) fn name(connection: &Connection, record: RecordId) -> Result<Option<Vec<u8>>, Failure> {
    if latest_version(connection, record)?.is_none() {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached("SELECT name FROM names WHERE record = ?")?;
    Ok(statement.query_row([record.0], |row| row.get(0)).optional()?)
}

pub(super) fn patient_by_token(
    connection: &Connection,
    token: Token,
) -> Result<Option<PatientId>, Failure> {
    let mut statement = connection.prepare_cached("SELECT patient FROM links WHERE token = ?")?;
    Ok(statement.query_row([token.0], |row| row.get(0)).optional()?)
}

pub(super) fn links_after(
    connection: &Connection,
    after: Option<Token>,
    max: usize,
) -> Result<Vec<Link>, Failure> {
    // Every token is longer than no bytes at all, and so comes after them.
    let after: &[u8] = after.as_ref().map_or(&[], |token| &token.0);
    let mut statement = connection.prepare_cached(
        "SELECT token, patient FROM links WHERE token > ? ORDER BY token LIMIT ?",
    )?;
    let links = statement
        .query_map(params![after, int(max.min(PAGE_ITEMS_MAX) as u64)], |row| {
            Ok(Link { token: Token(row.get(0)?), patient: row.get(1)? })
        })?;
    Ok(links.collect::<Result<_, _>>()?)
}

/// The sequence number of the next record to be stored.
pub(super) fn next_sequence(connection: &Connection) -> Result<u64, Failure> {
    one_number(connection, "SELECT coalesce(max(sequence) + 1, 0) FROM commitments")
}

/// The first sequence number that is not anchored.
pub(super) fn next_anchor(connection: &Connection) -> Result<u64, Failure> {
    let sql = "SELECT coalesce((SELECT first + count FROM anchors ORDER BY first DESC LIMIT 1), 0)";
    one_number(connection, sql)
}

pub(super) fn unanchored(connection: &Connection, max: usize) -> Result<Vec<(u64, Hash)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, commitment FROM commitments
         WHERE sequence >=
             coalesce((SELECT first + count FROM anchors ORDER BY first DESC LIMIT 1), 0)
         ORDER BY sequence LIMIT ?",
    )?;
    let max = max.min(PAGE_ITEMS_MAX) as i64;
    let waiting = statement.query_map([max], |row| Ok((number(row, 0)?, row.get(1)?)))?;
    Ok(waiting.collect::<Result<_, _>>()?)
}

/// The commitments of a run, as far as there are records.
pub(super) fn commitments(
    connection: &Connection,
    first: u64,
    count: u32,
) -> Result<Vec<Hash>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT commitment FROM commitments WHERE sequence >= ? ORDER BY sequence LIMIT ?",
    )?;
    let commitments = statement.query_map(params![int(first), count], |row| row.get(0))?;
    Ok(commitments.collect::<Result<_, _>>()?)
}

pub(super) fn batch_of(
    connection: &Connection,
    sequence: u64,
) -> Result<Option<AnchoredBatch>, Failure> {
    let anchor = connection
        .prepare_cached(
            "SELECT first, count, root, log_index FROM anchors
             WHERE first <= ? ORDER BY first DESC LIMIT 1",
        )?
        .query_row([int(sequence)], |row| {
            Ok((number(row, 0)?, row.get::<_, u32>(1)?, row.get(2)?, number(row, 3)?))
        })
        .optional()?;
    let Some((first, count, root, log_index)) = anchor else { return Ok(None) };
    if sequence >= first + u64::from(count) {
        return Ok(None);
    }
    let commitments = commitments(connection, first, count)?;
    Ok(Some(AnchoredBatch { first, root, log_index, commitments }))
}

/// The number by which this database knows a member.
pub(super) fn peer(connection: &Connection, member: MemberId) -> Result<Option<i64>, Failure> {
    let mut statement = connection.prepare_cached("SELECT peer FROM peers WHERE member = ?")?;
    Ok(statement.query_row([member], |row| row.get(0)).optional()?)
}

pub(super) fn copy_cursor(connection: &Connection, member: MemberId) -> Result<u64, Failure> {
    let mut statement = connection.prepare_cached("SELECT cursor FROM peers WHERE member = ?")?;
    let cursor = statement.query_row([member], |row| number(row, 0)).optional()?;
    Ok(cursor.unwrap_or(0))
}

pub(super) fn copy(
    connection: &Connection,
    peer: i64,
    sequence: u64,
) -> Result<Option<Held>, Failure> {
    let sql = copies("WHERE r.peer = ? AND r.sequence = ?");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![peer, int(sequence)], Held::read).optional()?)
}

pub(super) fn copies_of_patient(
    connection: &Connection,
    blobs: &Blobs,
    (custodian, patient): (MemberId, PatientId),
    versions: Versions,
    from: u64,
    max: usize,
) -> Result<Vec<SealedRecord>, Failure> {
    let Some(peer) = peer(connection, custodian)? else { return Ok(Vec::new()) };
    let sql = copies_sql(versions);
    page(connection, blobs, &sql, params![peer, patient, int(from)], max)
}

fn copies_sql(versions: Versions) -> String {
    let newest = match versions {
        Versions::All => "",
        Versions::Latest => {
            "AND NOT EXISTS (SELECT 1 FROM copies n
                 WHERE n.peer = r.peer AND n.record = r.record AND n.version > r.version)"
        }
    };
    copies(&format!(
        "WHERE r.peer = ? AND r.patient = ? AND r.sequence >= ? {newest} ORDER BY r.sequence"
    ))
}

pub(super) fn copied_scopes_of_patient(
    connection: &Connection,
    custodian: MemberId,
    patient: PatientId,
) -> Result<Vec<SealedScope>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM copied_scopes
         WHERE peer = (SELECT peer FROM peers WHERE member = ?) AND patient = ?
         ORDER BY scope, epoch",
        rows::SCOPE_COLUMNS
    ))?;
    let scopes = statement.query_map(params![custodian, patient], rows::sealed_scope)?;
    Ok(scopes.collect::<Result<_, _>>()?)
}

pub(super) fn copied_commitments(
    connection: &Connection,
    custodian: MemberId,
    first: u64,
    count: u32,
) -> Result<Option<Vec<Hash>>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT commitment FROM copied_commitments
         WHERE peer = (SELECT peer FROM peers WHERE member = ?)
             AND sequence >= ? AND sequence < ? ORDER BY sequence",
    )?;
    let run = params![custodian, int(first), int(first + u64::from(count))];
    let commitments: Vec<Hash> =
        statement.query_map(run, |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok((commitments.len() == count as usize).then_some(commitments))
}

/// The runs of an order to erase.
fn wanted_runs(connection: &Connection, number: i64) -> Result<Vec<Run>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT sequence FROM hidden WHERE number = ? ORDER BY sequence")?;
    let sequences = statement.query_map([number], |row| self::number(row, 0))?;
    let mut runs: Vec<Run> = Vec::new();
    for sequence in sequences {
        let sequence = sequence?;
        match runs.last_mut() {
            Some(run) if run.end() == sequence => run.count += 1,
            _ => runs.push(Run { first: sequence, count: 1 }),
        }
    }
    Ok(runs)
}

pub(super) fn wanted_erasures(
    connection: &Connection,
    after: Option<Token>,
    max: usize,
) -> Result<Vec<WantedErasure>, Failure> {
    let after: &[u8] = after.as_ref().map_or(&[], |token| &token.0);
    let mut statement = connection.prepare_cached(
        "SELECT number, token, sealed FROM wanted WHERE token > ? ORDER BY token LIMIT ?",
    )?;
    let limit = int(max.min(PAGE_ITEMS_MAX) as u64);
    let rows = statement.query_map(params![after, limit], |row| {
        Ok((row.get::<_, i64>(0)?, Token(row.get(1)?), row.get(2)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (number, token, sealed) = row?;
        found.push(WantedErasure { token, runs: wanted_runs(connection, number)?, sealed });
    }
    Ok(found)
}

/// Whether a record of this patient is in a run that a peer erased.
pub(super) fn is_erased(
    connection: &Connection,
    peer: i64,
    patient: PatientId,
    sequence: u64,
) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT first, count, patient FROM erased WHERE peer = ? AND first <= ?
         ORDER BY first DESC LIMIT 1",
    )?;
    let run = |row: &rusqlite::Row<'_>| {
        Ok((Run { first: number(row, 0)?, count: row.get(1)? }, row.get::<_, PatientId>(2)?))
    };
    let before = statement.query_row(params![peer, int(sequence)], run).optional()?;
    Ok(before.is_some_and(|(run, of)| run.contains(sequence) && of == patient))
}

pub(super) fn erased_between(
    connection: &Connection,
    from: u64,
    to: u64,
) -> Result<Vec<(u64, Hash)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT c.sequence, c.commitment FROM commitments c
         WHERE c.sequence >= ? AND c.sequence < ?
             AND NOT EXISTS (SELECT 1 FROM records r WHERE r.sequence = c.sequence)
         ORDER BY c.sequence LIMIT ?",
    )?;
    let range = params![int(from), int(to), PAGE_ITEMS_MAX as i64];
    let gone = statement.query_map(range, |row| Ok((number(row, 0)?, row.get(1)?)))?;
    Ok(gone.collect::<Result<_, _>>()?)
}

pub(super) fn copied_commitment(
    connection: &Connection,
    peer: i64,
    sequence: u64,
) -> Result<Option<Hash>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT commitment FROM copied_commitments WHERE peer = ? AND sequence = ?",
    )?;
    Ok(statement.query_row(params![peer, int(sequence)], |row| row.get(0)).optional()?)
}

pub(super) fn last_emergency(connection: &Connection) -> Result<Option<EmergencyEntry>, Failure> {
    let sql = emergencies_sql("ORDER BY sequence DESC LIMIT 1");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([], rows::emergency).optional()?)
}

pub(super) fn emergencies(
    connection: &Connection,
    from: u64,
    max: usize,
) -> Result<Vec<EmergencyEntry>, Failure> {
    let sql = emergencies_sql("WHERE sequence >= ? ORDER BY sequence LIMIT ?");
    let mut statement = connection.prepare_cached(&sql)?;
    let page = params![int(from), max.min(PAGE_ITEMS_MAX) as i64];
    let entries = statement.query_map(page, rows::emergency)?;
    Ok(entries.collect::<Result<_, _>>()?)
}

pub(super) fn message(
    connection: &Connection,
    token: Token,
) -> Result<Option<KeptMessage>, Failure> {
    let sql = format!("SELECT {} FROM messages WHERE token = ?", rows::MESSAGE_COLUMNS);
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_row([token.0], rows::message).optional()?;
    Ok(found.map(|(_, message)| message))
}

pub(super) fn messages_waiting(
    connection: &Connection,
    from: u64,
    max: usize,
) -> Result<Vec<(u64, KeptMessage)>, Failure> {
    let sql = format!(
        "SELECT {} FROM messages WHERE waiting = 1 AND number >= ? ORDER BY number LIMIT ?",
        rows::MESSAGE_COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let limit = int(max.min(PAGE_ITEMS_MAX) as u64);
    let found = statement.query_map([int(from), limit], rows::message)?;
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    for one in found {
        if bytes >= PAGE_BYTES_MAX {
            break;
        }
        let one = one?;
        bytes += one.1.sealed.len();
        waiting.push(one);
    }
    Ok(waiting)
}

pub(super) fn case(
    connection: &Connection,
    token: Token,
) -> Result<Option<(u64, KeptCase)>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT number, token, open, sealed FROM cases WHERE token = ?")?;
    Ok(statement.query_row([token.0], rows::case).optional()?)
}

pub(super) fn cases(
    connection: &Connection,
    from: u64,
    max: usize,
) -> Result<Vec<(u64, KeptCase)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT number, token, open, sealed FROM cases WHERE number >= ? ORDER BY number LIMIT ?",
    )?;
    let limit = int(max.min(PAGE_ITEMS_MAX) as u64);
    let found = statement.query_map([int(from), limit], rows::case)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn message_counts(
    connection: &Connection,
    feed: Token,
) -> Result<MessageCounts, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*), coalesce(sum(waiting), 0) FROM messages WHERE feed = ?",
    )?;
    let counts = |row: &rusqlite::Row<'_>| {
        Ok(MessageCounts { kept: number(row, 0)?, waiting: number(row, 1)? })
    };
    Ok(statement.query_row([feed.0], counts)?)
}

pub(super) fn are_known(connection: &Connection, tokens: &[Token]) -> Result<Vec<bool>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM tokens t WHERE token = ?
             AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.sequence = t.sequence) LIMIT 1",
    )?;
    let known = tokens.iter().map(|token| statement.exists([token.0]));
    Ok(known.collect::<Result<_, _>>()?)
}

pub(super) fn reader(
    connection: &Connection,
    access: [u8; 32],
) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = connection.prepare_cached("SELECT sealed FROM readers WHERE access = ?")?;
    Ok(statement.query_row([access], |row| row.get(0)).optional()?)
}

pub(super) fn portrait(
    connection: &Connection,
    record: RecordId,
) -> Result<Option<Vec<u8>>, Failure> {
    let is_hidden = latest_version(connection, record)?.is_none();
    if is_hidden && last_version(connection, record)? > 0 {
        return Ok(None);
    }
    let mut statement =
        connection.prepare_cached("SELECT sealed FROM portraits WHERE record = ?")?;
    Ok(statement.query_row([record.0], |row| row.get(0)).optional()?)
}

pub(super) fn jobs(connection: &Connection) -> Result<Vec<JobPart>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT job, part, sealed FROM jobs WHERE part = 0 ORDER BY job")?;
    let parts = statement.query_map([], rows::job_part)?.collect::<Result<_, _>>()?;
    Ok(parts)
}

pub(super) fn job_parts(
    connection: &Connection,
    job: Token,
    from: u64,
    max: usize,
) -> Result<Vec<JobPart>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT job, part, sealed FROM jobs WHERE job = ? AND part >= ? ORDER BY part LIMIT ?",
    )?;
    let page = params![job.0, int(from), max.min(PAGE_ITEMS_MAX) as i64];
    let parts = statement.query_map(page, rows::job_part)?.collect::<Result<_, _>>()?;
    Ok(parts)
}

pub(super) fn tallies(connection: &Connection, from_day: u32) -> Result<Vec<Tally>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT day, token, sealed, count FROM tallies WHERE day >= ? ORDER BY day, token",
    )?;
    let tally = |row: &rusqlite::Row<'_>| {
        let (day, token, sealed) = (row.get(0)?, Token(row.get(1)?), row.get(2)?);
        Ok(Tally { day, token, sealed, count: number(row, 3)? })
    };
    let found = statement.query_map([from_day], tally)?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn setting(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = connection.prepare_cached("SELECT value FROM settings WHERE name = ?")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

pub(super) fn counts(connection: &Connection) -> Result<Counts, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce((SELECT max(sequence) + 1 FROM commitments), 0),
                coalesce((SELECT first + count FROM anchors ORDER BY first DESC LIMIT 1), 0),
                (SELECT count(*) FROM copies),
                (SELECT count(*) FROM emergencies)",
    )?;
    Ok(statement.query_row([], |row| {
        Ok(Counts {
            records: number(row, 0)?,
            anchored: number(row, 1)?,
            copies: number(row, 2)?,
            emergencies: number(row, 3)?,
        })
    })?)
}

/// Whether a row names this blob.
pub(super) fn blob_is_named(connection: &Connection, name: &str) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM records WHERE blob = ?1)
             OR EXISTS (SELECT 1 FROM copies WHERE blob = ?1)",
    )?;
    Ok(statement.query_row([name], |row| row.get(0))?)
}

/// Leaves out of the records `r` what is going to be erased.
const VISIBLE: &str = "AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.sequence = r.sequence)";

/// Takes a page; see [`store`](crate::store) for where it ends. Nothing is read beyond it.
fn page(
    connection: &Connection,
    blobs: &Blobs,
    sql: &str,
    values: impl Params,
    max: usize,
) -> Result<Vec<SealedRecord>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while page.len() < max.min(PAGE_ITEMS_MAX) && bytes < PAGE_BYTES_MAX {
        let Some(row) = rows.next()? else { break };
        let record = Held::read(row)?.load(blobs)?;
        bytes += record.envelope.as_bytes().len();
        page.push(record);
    }
    Ok(page)
}

fn records(rest: &str) -> String {
    format!("SELECT {} FROM records r JOIN commitments c USING (sequence) {rest}", Held::COLUMNS)
}

fn copies(rest: &str) -> String {
    format!(
        "SELECT {} FROM copies r JOIN copied_commitments c USING (peer, sequence) {rest}",
        Held::COLUMNS
    )
}

fn emergencies_sql(rest: &str) -> String {
    format!("SELECT {} FROM emergencies {rest}", rows::EMERGENCY_COLUMNS)
}

fn one_number(connection: &Connection, sql: &str) -> Result<u64, Failure> {
    Ok(connection.prepare_cached(sql)?.query_row([], |row| number(row, 0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How SQLite would answer, one line per step.
    fn plan(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>();
        steps.unwrap()
    }

    /// A page must cost what it returns, however much there is: no scan of a table, no sorting.
    #[test]
    fn pages_follow_an_index() {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::schema::migrate(&mut connection).ok().unwrap();
        let selects = [
            Select::All,
            Select::Record(RecordId([0; 16])),
            Select::Scope(ScopeTag([0; 16])),
            Select::Patient([0; 32]),
            Select::Token(Token([0; 16])),
        ];
        for versions in [Versions::Latest, Versions::All] {
            let queries = selects.iter().map(|select| select_sql(select, versions));
            for sql in queries.chain([copies_sql(versions)]) {
                let steps = plan(&connection, &sql);
                let costly = |step: &String| step.contains("SCAN") || step.contains("TEMP B-TREE");
                assert!(!steps.iter().any(costly), "{sql}\n{steps:#?}");
            }
        }
    }
}
