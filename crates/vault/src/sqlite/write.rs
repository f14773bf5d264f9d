//! What the writing thread does, one function for each promise of the trait. All of them run in a
//! savepoint, so a refusal half way leaves nothing.

use proof::Hash;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    failure::Failure,
    read,
    rows::{self, Body, Held, int, number},
};
use crate::{
    Batch, Conflict, EmergencyEntry, Erased, JobPart, KeptCase, KeptMessage, Link, Mark, MemberId,
    NewEmergency, OwnScope, Place, Portrait, Reader, RecordId, Relink, SealedScope, Stored, Tally,
    Token, WantedErasure,
    blobs::{Blob, Blobs},
    check::{self, require},
};

/// A batch whose large envelopes are already durable files.
pub(super) struct PlacedBatch {
    pub records: Vec<PlacedRecord>,
    /// The rest of the batch; its records are those above.
    pub rest: Batch,
}

pub(super) struct PlacedRecord {
    pub place: Place,
    pub commitment: Hash,
    pub body: Body,
    pub tokens: Vec<Token>,
    pub name: Vec<u8>,
}

pub(super) fn store(connection: &Connection, batch: &PlacedBatch) -> Result<Stored, Failure> {
    for own in &batch.rest.scopes {
        scope(connection, own)?;
    }
    for new in &batch.rest.links {
        link(connection, new)?;
    }
    for change in &batch.rest.relinks {
        relink(connection, change)?;
    }
    let first = read::next_sequence(connection)?;
    for (sequence, new) in (first..).zip(&batch.records) {
        record(connection, sequence, new)?;
    }
    assert_eq!(read::next_sequence(connection)?, first + batch.records.len() as u64);
    for more in &batch.rest.marks {
        mark(connection, more)?;
    }
    for new in &batch.rest.messages {
        message(connection, new)?;
    }
    for new in &batch.rest.cases {
        case(connection, new)?;
    }
    for new in &batch.rest.portraits {
        portrait(connection, new)?;
    }
    for more in &batch.rest.tallies {
        tally(connection, more)?;
    }
    for new in &batch.rest.erasures {
        wanted(connection, new, first)?;
    }
    for new in &batch.rest.jobs {
        job_part(connection, new)?;
    }
    for new in &batch.rest.readers {
        reader(connection, new)?;
    }
    Ok(Stored { first, count: batch.records.len() as u32 })
}

fn scope(connection: &Connection, own: &OwnScope) -> Result<(), Failure> {
    let new = &own.sealed;
    let newest = connection
        .prepare_cached(
            "SELECT epoch, patient FROM scopes WHERE scope = ? ORDER BY epoch DESC LIMIT 1",
        )?
        .query_row([new.scope.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    check::scope_follows(newest, new)?;
    connection
        .prepare_cached(
            "INSERT INTO scopes (scope, epoch, patient, seal, back, wrapped)
             VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![new.scope.0, new.epoch, new.patient, new.seal, new.back, own.wrapped])?;
    Ok(())
}

fn link(connection: &Connection, new: &Link) -> Result<(), Failure> {
    match read::patient_by_token(connection, new.token)? {
        Some(patient) if patient == new.patient => Ok(()),
        Some(_) => Err(Conflict::Link(new.token).into()),
        None => {
            connection
                .prepare_cached("INSERT INTO links (token, patient) VALUES (?, ?)")?
                .execute(params![new.token.0, new.patient])?;
            Ok(())
        }
    }
}

fn relink(connection: &Connection, change: &Relink) -> Result<(), Failure> {
    let changed = connection
        .prepare_cached("UPDATE links SET patient = ? WHERE token = ? AND patient = ?")?
        .execute(params![change.to, change.token.0, change.from])?;
    if changed == 1 { Ok(()) } else { Err(Conflict::Link(change.token).into()) }
}

fn mark(connection: &Connection, more: &Mark) -> Result<(), Failure> {
    let is_there = more.sequence < read::next_sequence(connection)?;
    require(is_there, "a mark names a record that does not exist")?;
    // What is erased is not marked any more.
    let mut held = connection.prepare_cached("SELECT 1 FROM records WHERE sequence = ?")?;
    if !held.exists([int(more.sequence)])? {
        return Ok(());
    }
    tokens(connection, more.sequence, &more.tokens)
}

fn tokens(connection: &Connection, sequence: u64, tokens: &[Token]) -> Result<(), Failure> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO tokens (token, sequence) VALUES (?, ?) ON CONFLICT DO NOTHING",
    )?;
    for token in tokens {
        insert.execute(params![token.0, int(sequence)])?;
    }
    Ok(())
}

fn record(connection: &Connection, sequence: u64, new: &PlacedRecord) -> Result<(), Failure> {
    let place = &new.place;
    check::version_follows(read::last_version(connection, place.record)?, place)?;
    let patient = connection
        .prepare_cached("SELECT patient FROM scopes WHERE scope = ? AND epoch = ?")?
        .query_row(params![place.scope.0, place.epoch], |row| row.get(0))
        .optional()?;
    check::scope_known(patient, place)?;
    connection
        .prepare_cached("INSERT INTO commitments (sequence, commitment) VALUES (?, ?)")?
        .execute(params![int(sequence), new.commitment])?;
    let file = new.body.file();
    connection
        .prepare_cached(
            "INSERT INTO records
                 (sequence, record, version, patient, scope, epoch, blob, digest, envelope)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            int(sequence),
            place.record.0,
            place.version,
            place.patient,
            place.scope.0,
            place.epoch,
            file.map(|blob| &blob.name),
            file.map(|blob| blob.digest),
            new.body.row(),
        ])?;
    tokens(connection, sequence, &new.tokens)?;
    connection
        .prepare_cached("INSERT INTO names (record, name) VALUES (?, ?) ON CONFLICT DO NOTHING")?
        .execute(params![place.record.0, new.name])?;
    Ok(())
}

fn message(connection: &Connection, new: &KeptMessage) -> Result<(), Failure> {
    let known = read::message(connection, new.token)?;
    crate::message::follows(known.map(|known| known.is_waiting), new)?;
    connection
        .prepare_cached(
            "INSERT INTO messages (token, feed, waiting, sealed) VALUES (?, ?, ?, ?)
             ON CONFLICT (token)
             DO UPDATE SET waiting = excluded.waiting, sealed = excluded.sealed",
        )?
        .execute(params![new.token.0, new.feed.0, new.is_waiting, new.sealed])?;
    Ok(())
}

fn case(connection: &Connection, new: &KeptCase) -> Result<(), Failure> {
    let known = read::case(connection, new.token)?;
    crate::case::follows(known.map(|(_, known)| known.is_open), new)?;
    connection
        .prepare_cached(
            "INSERT INTO cases (token, open, sealed) VALUES (?, ?, ?)
             ON CONFLICT (token) DO UPDATE SET open = excluded.open, sealed = excluded.sealed",
        )?
        .execute(params![new.token.0, new.is_open, new.sealed])?;
    Ok(())
}

fn reader(connection: &Connection, new: &Reader) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT INTO readers (access, sealed) VALUES (?, ?) ON CONFLICT (access) DO NOTHING",
        )?
        .execute(params![new.access, new.sealed])?;
    Ok(())
}

fn portrait(connection: &Connection, new: &Portrait) -> Result<(), Failure> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO portraits (record, sealed) VALUES (?, ?)")?
        .execute(params![new.record.0, new.sealed])?;
    Ok(())
}

fn tally(connection: &Connection, more: &Tally) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT INTO tallies (day, token, sealed, count) VALUES (?, ?, ?, ?)
             ON CONFLICT (day, token) DO UPDATE SET count = count + excluded.count",
        )?
        .execute(params![more.day, more.token.0, more.sealed, int(more.count)])?;
    Ok(())
}

/// An order names records that were there before the batch.
fn wanted(connection: &Connection, new: &WantedErasure, before: u64) -> Result<(), Failure> {
    let mut known = connection.prepare_cached("SELECT 1 FROM wanted WHERE token = ?")?;
    require(!known.exists([new.token.0])?, "there is an order to erase of this name")?;
    connection
        .prepare_cached("INSERT INTO wanted (token, sealed) VALUES (?, ?)")?
        .execute(params![new.token.0, new.sealed])?;
    let number = connection.last_insert_rowid();
    let mut hide = connection.prepare_cached(
        "INSERT INTO hidden (sequence, number)
         SELECT sequence, ?2 FROM records WHERE sequence = ?1 ON CONFLICT DO NOTHING",
    )?;
    for sequence in new.runs.iter().flat_map(|run| run.first..run.end()) {
        if sequence >= before || hide.execute(params![int(sequence), number])? == 0 {
            return Err(Conflict::Erased(sequence).into());
        }
    }
    Ok(())
}

pub(super) fn keep_wanted(connection: &Connection, token: Token) -> Result<(), Failure> {
    connection.prepare_cached("DELETE FROM wanted WHERE token = ?")?.execute([token.0])?;
    Ok(())
}

/// Deletes records and all that hangs on them. Returns how many, and the files to be removed.
pub(super) fn erase(
    connection: &Connection,
    erased: &Erased,
) -> Result<(u64, Vec<String>), Failure> {
    let (mut count, mut files) = (0, Vec::new());
    for run in &erased.runs {
        let range = (int(run.first), int(run.end()), erased.patient);
        let mut found = connection.prepare_cached(&format!(
            "SELECT sequence, record, blob FROM records WHERE {IN_RUN}"
        ))?;
        let rows = found
            .query_map(range, |row| {
                Ok((number(row, 0)?, RecordId(row.get(1)?), row.get::<_, Option<String>>(2)?))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        connection
            .prepare_cached(&format!(
                "INSERT INTO last_versions (record, version)
                 SELECT record, max(version) FROM records WHERE {IN_RUN} GROUP BY record
                 ON CONFLICT (record) DO UPDATE SET version = max(version, excluded.version)"
            ))?
            .execute(range)?;
        for (sequence, record, file) in rows {
            erase_record(connection, sequence, record)?;
            files.extend(file);
            count += 1;
        }
    }
    connection
        .prepare_cached(
            "DELETE FROM wanted WHERE NOT EXISTS
                 (SELECT 1 FROM hidden WHERE hidden.number = wanted.number)",
        )?
        .execute([])?;
    Ok((count, files))
}

fn erase_record(connection: &Connection, sequence: u64, record: RecordId) -> Result<(), Failure> {
    for table in ["tokens", "hidden", "records"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE sequence = ?"))?
            .execute([int(sequence)])?;
    }
    let mut other = connection.prepare_cached("SELECT 1 FROM records WHERE record = ?")?;
    if !other.exists([record.0])? {
        for table in ["names", "portraits"] {
            connection
                .prepare_cached(&format!("DELETE FROM {table} WHERE record = ?"))?
                .execute([record.0])?;
        }
    }
    Ok(())
}

/// Deletes copies, and remembers what is erased. Returns how many, and the files to be removed.
pub(super) fn erase_copies(
    connection: &Connection,
    custodian: MemberId,
    erased: &Erased,
) -> Result<(u64, Vec<String>), Failure> {
    let peer = peer(connection, custodian)?;
    let (mut count, mut files) = (0, Vec::new());
    for run in &erased.runs {
        connection
            .prepare_cached(
                "INSERT INTO erased (peer, first, count, patient) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![peer, int(run.first), run.count, erased.patient])?;
        let range = (int(run.first), int(run.end()), erased.patient, peer);
        let mut found = connection.prepare_cached(&format!(
            "SELECT blob FROM copies WHERE {IN_RUN} AND peer = ?4 AND blob IS NOT NULL"
        ))?;
        for file in found.query_map(range, |row| row.get::<_, String>(0))? {
            files.push(file?);
        }
        count += connection
            .prepare_cached(&format!("DELETE FROM copies WHERE {IN_RUN} AND peer = ?4"))?
            .execute(range)? as u64;
    }
    Ok((count, files))
}

/// Keeps what is left of erased records.
pub(super) fn keep_commitments(
    connection: &Connection,
    custodian: MemberId,
    commitments: &[(u64, Hash)],
) -> Result<(), Failure> {
    let peer = peer(connection, custodian)?;
    for (sequence, commitment) in commitments {
        match read::copied_commitment(connection, peer, *sequence)? {
            Some(held) if held == *commitment => {}
            Some(_) => return Err(Conflict::Copy(*sequence).into()),
            None => {
                connection
                    .prepare_cached(
                        "INSERT INTO copied_commitments (peer, sequence, commitment)
                         VALUES (?, ?, ?)",
                    )?
                    .execute(params![peer, int(*sequence), commitment])?;
            }
        }
    }
    Ok(())
}

fn job_part(connection: &Connection, new: &JobPart) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT INTO jobs (job, part, sealed) VALUES (?, ?, ?)
             ON CONFLICT (job, part) DO UPDATE SET sealed = excluded.sealed",
        )?
        .execute(params![new.job.0, int(new.part), new.sealed])?;
    Ok(())
}

pub(super) fn forget_job(connection: &Connection, job: Token) -> Result<(), Failure> {
    connection.prepare_cached("DELETE FROM jobs WHERE job = ?")?.execute([job.0])?;
    Ok(())
}

pub(super) fn mark_anchored(
    connection: &Connection,
    first: u64,
    count: u32,
    root: Hash,
    log_index: u64,
) -> Result<(), Failure> {
    let stored = connection
        .prepare_cached("SELECT count, root, log_index FROM anchors WHERE first = ?")?
        .query_row([int(first)], |row| Ok((row.get(0)?, row.get(1)?, number(row, 2)?)))
        .optional()?;
    if stored == Some((count, root, log_index)) {
        return Ok(());
    }
    let next = read::next_anchor(connection)?;
    if first != next {
        return Err(Conflict::Anchor { next, given: first }.into());
    }
    let commitments = read::commitments(connection, first, count)?;
    require(commitments.len() == count as usize, "the batch names records that do not exist")?;
    if check::root(&commitments) != root {
        return Err(Conflict::Root(first).into());
    }
    connection
        .prepare_cached("INSERT INTO anchors (first, count, root, log_index) VALUES (?, ?, ?, ?)")?
        .execute(params![int(first), count, root, int(log_index)])?;
    Ok(())
}

/// Copies whose large envelopes are already durable files.
pub(super) struct PlacedCopies {
    pub custodian: MemberId,
    pub scopes: Vec<SealedScope>,
    pub records: Vec<Held>,
}

/// Returns the files that are not needed, because the copy was there before.
pub(super) fn keep_copy(
    connection: &Connection,
    batch: &PlacedCopies,
    blobs: &Blobs,
) -> Result<Vec<Blob>, Failure> {
    let peer = peer(connection, batch.custodian)?;
    for scope in &batch.scopes {
        copied_scope(connection, peer, scope)?;
    }
    let mut spare = Vec::new();
    for record in &batch.records {
        if !copied_record(connection, peer, record, blobs)? {
            spare.extend(record.body.file().cloned());
        }
    }
    Ok(spare)
}

/// The number by which this database knows a member.
fn peer(connection: &Connection, member: MemberId) -> Result<i64, Failure> {
    if let Some(peer) = read::peer(connection, member)? {
        return Ok(peer);
    }
    connection.prepare_cached("INSERT INTO peers (member) VALUES (?)")?.execute([member])?;
    Ok(connection.last_insert_rowid())
}

fn copied_scope(connection: &Connection, peer: i64, scope: &SealedScope) -> Result<(), Failure> {
    let held = connection
        .prepare_cached(&format!(
            "SELECT {} FROM copied_scopes WHERE peer = ? AND scope = ? AND epoch = ?",
            rows::SCOPE_COLUMNS
        ))?
        .query_row(params![peer, scope.scope.0, scope.epoch], rows::sealed_scope)
        .optional()?;
    check::same_scope(held.as_ref(), scope)?;
    if held.is_none() {
        connection
            .prepare_cached(
                "INSERT INTO copied_scopes (peer, scope, epoch, patient, seal, back)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                peer,
                scope.scope.0,
                scope.epoch,
                scope.patient,
                scope.seal,
                scope.back
            ])?;
    }
    Ok(())
}

/// Says whether the copy is new.
fn copied_record(
    connection: &Connection,
    peer: i64,
    new: &Held,
    blobs: &Blobs,
) -> Result<bool, Failure> {
    let place = &new.place;
    let patient = connection
        .prepare_cached(
            "SELECT patient FROM copied_scopes WHERE peer = ? AND scope = ? AND epoch = ?",
        )?
        .query_row(params![peer, place.scope.0, place.epoch], |row| row.get(0))
        .optional()?;
    check::scope_known(patient, place)?;
    if let Some(held) = read::copy(connection, peer, new.sequence)? {
        return if same_copy(held, new, blobs)? {
            Ok(false)
        } else {
            Err(Conflict::Copy(new.sequence).into())
        };
    }
    let commitment = read::copied_commitment(connection, peer, new.sequence)?;
    if commitment.is_some_and(|commitment| commitment != new.commitment) {
        return Err(Conflict::Copy(new.sequence).into());
    }
    if read::is_erased(connection, peer, place.patient, new.sequence)? {
        return Err(Conflict::Erased(new.sequence).into());
    }
    insert_copy(connection, peer, new)?;
    Ok(true)
}

fn same_copy(held: Held, new: &Held, blobs: &Blobs) -> Result<bool, Failure> {
    let same_body = match (&held.body, &new.body) {
        (Body::Row(held), Body::Row(new)) => held == new,
        (Body::File(held), Body::File(new)) => held.digest == new.digest,
        _ => false,
    };
    let same = held.place == new.place && held.commitment == new.commitment && same_body;
    if same {
        // A repeated copy must not be answered with "kept" if the file has gone.
        held.load(blobs)?;
    }
    Ok(same)
}

fn insert_copy(connection: &Connection, peer: i64, new: &Held) -> Result<(), Failure> {
    let place = &new.place;
    connection
        .prepare_cached(
            "INSERT INTO copied_commitments (peer, sequence, commitment) VALUES (?, ?, ?)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![peer, int(new.sequence), new.commitment])?;
    let file = new.body.file();
    connection
        .prepare_cached(
            "INSERT INTO copies
                 (peer, sequence, record, version, patient, scope, epoch, blob, digest, envelope)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            peer,
            int(new.sequence),
            place.record.0,
            place.version,
            place.patient,
            place.scope.0,
            place.epoch,
            file.map(|blob| &blob.name),
            file.map(|blob| blob.digest),
            new.body.row(),
        ])?;
    Ok(())
}

pub(super) fn advance_copy_cursor(
    connection: &Connection,
    member: MemberId,
    next: u64,
) -> Result<(), Failure> {
    require(next <= read::next_sequence(connection)?, "the cursor is beyond the last record")?;
    let peer = peer(connection, member)?;
    connection
        .prepare_cached("UPDATE peers SET cursor = max(cursor, ?) WHERE peer = ?")?
        .execute(params![int(next), peer])?;
    Ok(())
}

pub(super) fn emergency(
    connection: &Connection,
    new: NewEmergency,
) -> Result<EmergencyEntry, Failure> {
    let last = read::last_emergency(connection)?;
    let entry = EmergencyEntry::follow(last.as_ref(), new);
    connection
        .prepare_cached(
            "INSERT INTO emergencies
                 (sequence, previous, access, patient, custodian, from_ms, until_ms, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            int(entry.sequence),
            entry.previous,
            entry.access,
            entry.patient,
            entry.custodian,
            int(entry.from_ms),
            int(entry.until_ms),
            entry.body,
        ])?;
    Ok(entry)
}

pub(super) fn setting(connection: &Connection, name: &str, value: &[u8]) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT INTO settings (name, value) VALUES (?, ?)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![name, value])?;
    Ok(())
}

/// `?1` is the first sequence number, `?2` the one after the last, `?3` the patient.
const IN_RUN: &str = "sequence >= ?1 AND sequence < ?2 AND patient = ?3";
