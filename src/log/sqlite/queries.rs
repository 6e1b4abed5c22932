//! What is asked of the file, and what is written to it, within a transaction that somebody else has begun.

use rusqlite::{Connection, OptionalExtension as _};

use super::row::{self, Row};
use super::schema;
use crate::log::{
    Appended, Backing, Committed, Cursor, Facts, Fate, Follows, Ground, Moment, Proposal, Read, There, Unread, Visit,
    advance,
};
use crate::revocation::{Durability, Record};

/// Whether a batch is in the log, or was and has been deleted.
pub(super) fn has(connection: &Connection, last: Cursor) -> Result<bool, rusqlite::Error> {
    let facts = schema::facts(connection)?;
    knows(connection, &facts, last)
}

pub(super) fn commit(
    transaction: &rusqlite::Transaction<'_>,
    proposals: &mut [Proposal],
    backing: Backing,
) -> Result<Committed, rusqlite::Error> {
    let facts = schema::facts(transaction)?;
    let is_backing = backing.is_of(facts.generation)
        && knows(transaction, &facts, backing.read)?
        && knows(transaction, &facts, backing.appended)?;
    let ground = Ground { is_backing, now: None, facts };
    let fates: Vec<_> = proposals.iter().map(|proposal| proposal.fate(&ground)).collect();
    let to_append = || fates.iter().map(|fate| *fate == Fate::Appended);
    if proposals.iter().zip(to_append()).any(|(proposal, is_to)| is_to && proposal.moment == Moment::Now) {
        let unread = unread_cut_offs(transaction, backing.read)?;
        proposals.iter_mut().for_each(|proposal| proposal.move_behind(&ground, &unread));
    }
    let records = proposals.iter().zip(to_append()).filter_map(|(proposal, is_to)| is_to.then_some(&proposal.record));
    let appended = append(transaction, records)?;
    Ok(Committed { appended, fates, generation: facts.generation, is_backing })
}

/// The cut-offs behind what whoever proposes has read: few, unless it reads seldom.
pub(super) fn unread_cut_offs(
    transaction: &rusqlite::Transaction<'_>,
    read: Cursor,
) -> Result<Vec<Unread>, rusqlite::Error> {
    let mut select = transaction.prepare_cached(row::SELECT_AFTER)?;
    let (mut rows, mut unread) = (select.query([read.position])?, Vec::new());
    while let Some(raw) = rows.next()? {
        if let Row::Record(_, record) = row::parse(raw)?
            && record.issued_before.is_some()
        {
            unread.extend(Unread::of(&row::into_record(raw, &record)?));
        }
    }
    Ok(unread)
}

/// Appends records, and says where they stand. None where there are none.
pub(super) fn append<'r>(
    transaction: &rusqlite::Transaction<'_>,
    records: impl Iterator<Item = &'r Record>,
) -> Result<Option<Appended>, rusqlite::Error> {
    // A tag that no other batch bears. SQLite's generator is seeded by the system's.
    let tag: i64 = transaction.prepare_cached("SELECT random()")?.query_row([], |row| row.get(0))?;
    let mut insert = transaction.prepare_cached(row::INSERT)?;
    let mut newest = schema::time(transaction, schema::NEWEST)?;
    // What is appended to the copy of another log is owed to that.
    let is_copy = schema::fact(transaction, schema::COPY_OF)?.is_some();
    let mut owe = transaction.prepare_cached("INSERT OR IGNORE INTO unsent VALUES (?1)")?;
    let (mut first, mut last) = (None, None);
    for record in records {
        row::insert(&mut insert, record, tag)?;
        let position = transaction.last_insert_rowid();
        first.get_or_insert(position);
        last = Some(Cursor { position, tag, epoch: 0, keep_until: record.keep_until });
        if is_copy {
            owe.execute([position])?;
        }
        newest = Some(advance(newest, record.recorded_at));
    }
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    if let Some(newest) = newest {
        schema::set_time(transaction, schema::NEWEST, newest)?;
    }
    Ok(Some(Appended { first, last, follows: Follows::Anything, durability: Durability::File }))
}

/// Whether the log is still the one that somebody knows who stands there.
pub(super) fn knows(connection: &Connection, facts: &Facts, cursor: Cursor) -> Result<bool, rusqlite::Error> {
    // Whatever somebody else has put there is a number, or as good as none.
    let number = |row: &rusqlite::Row<'_>| Ok(row.get_ref(0)?.as_i64().unwrap_or(0));
    let batch = |sql| connection.prepare_cached(sql)?.query_row([cursor.position], number).optional();
    // An earlier version's backup, restored in place under a running process, lacks the table.
    let notes_deleted = || connection.table_exists(None, "deleted");
    let there = match batch("SELECT batch FROM revocation WHERE position = ?1")? {
        Some(tag) => There::Held(tag),
        None if !notes_deleted()? => There::Nothing,
        None => batch("SELECT batch FROM deleted WHERE position = ?1")?.map_or(There::Nothing, There::Deleted),
    };
    Ok(cursor.is_known(there, facts.watermark))
}

/// One consistent view of the log: whether it is the one that the reader knows, then what is new in it.
pub(super) fn read_to_head(connection: &Connection, after: Cursor, visit: Visit<'_>) -> Result<Read, rusqlite::Error> {
    let snapshot = connection.unchecked_transaction()?;
    let facts = schema::facts(&snapshot)?;
    if !knows(&snapshot, &facts, after)? {
        return Ok(Read::Rewound);
    }
    let (mut cursor, mut junk, mut unknown_kinds) = (after, 0, 0);
    {
        let mut select = snapshot.prepare_cached(row::SELECT_AFTER)?;
        let mut rows = select.query([after.position])?;
        while let Some(raw) = rows.next()? {
            match row::parse(raw)? {
                Row::Record(at, record) => {
                    cursor = at;
                    if visit(record).is_break() {
                        return Ok(Read::Stopped);
                    }
                }
                Row::Junk(at) => {
                    cursor = at;
                    junk += 1;
                }
                Row::UnknownKind(at) => {
                    cursor = at;
                    unknown_kinds += 1;
                }
            }
        }
    }
    snapshot.finish()?;
    Ok(Read::ToHead { cursor, facts, junk, unknown_kinds })
}
