//! Taking records out of the log on purpose.
//!
//! An entry that was erased stays in the stream until a collection comes to it, and nobody reads it any more: what was erased stands in
//! a set beside the stream. A node that has heard of it holds on to that as it does to records, and tells a log that lacks it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::{RedisResult, Value};

use super::encoded::{self, Encoded};
use super::entry::Entry;
use super::facts::RESTATE_INTERVAL;
use super::outbox::for_each_unsent;
use super::reader::Reader;
use super::wire::Wire;
use super::{POSITION_MAX, RedisLog, entry, list, script};
use crate::clock::UnixTime;
use crate::limits::ERASED_MAX;
use crate::log::{Cursor, FIND_AT_ONCE, LogError, Placed};
use crate::revocation::Record;
use crate::sync::Mutex;

/// What is known to have been erased.
#[derive(Default)]
pub(super) struct Erased {
    records: Mutex<Arc<HashSet<Encoded>>>,
    /// How often something was added.
    count: AtomicU64,
    /// How much of that the file has heard of.
    filed: AtomicU64,
    /// What the log's set was called when it was read last, if it had a name: by another name it is another. None where it is to be read
    /// in any case.
    name: Mutex<Option<Option<String>>>,
    /// Whether the log lacks some of it.
    is_owed: Mutex<bool>,
}

impl Erased {
    pub(super) fn records(&self) -> Arc<HashSet<Encoded>> {
        Arc::clone(&self.records.lock())
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, records: &[Record]) {
        self.add_encoded(records.iter().map(encoded::write).collect());
    }

    fn add_encoded(&self, records: Vec<Encoded>) {
        let mut held = self.records.lock();
        if records.iter().any(|record| !held.contains(record)) {
            *held = Arc::new(held.iter().cloned().chain(records).collect());
            self.count.fetch_add(1, Ordering::Release);
        }
    }

    /// Lets go of what would have expired by now.
    fn forget_until(&self, watermark: Option<UnixTime>) {
        let mut held = self.records.lock();
        let is_live = |record: &&Encoded| entry::is_live(encoded::keep_until(record), watermark);
        if !held.iter().all(|record| is_live(&record)) {
            *held = Arc::new(held.iter().filter(is_live).cloned().collect());
        }
    }

    /// The record as it is to be written: one that was erased at the same millisecond is not it.
    pub(super) fn told_apart(&self, record: &Record) -> Record {
        let (held, mut record) = (self.records(), record.clone());
        while !held.is_empty() && held.contains(&encoded::write(&record)) {
            record.recorded_at = record.recorded_at.plus(Duration::from_millis(1));
        }
        record
    }
}

impl RedisLog {
    /// Reads what was erased, if that is another set than the one that was read before.
    pub(super) fn hear_of_erased(
        &self,
        wire: &mut Wire,
        name: Option<&String>,
        watermark: Option<UnixTime>,
    ) -> RedisResult<()> {
        if self.erased.name.lock().as_ref().is_some_and(|known| known.as_ref() == name) {
            return Ok(());
        }
        let told: Vec<Vec<u8>> = redis::cmd("SMEMBERS").arg(&self.erased_key).query(wire)?;
        let told: Vec<Encoded> = told.into_iter().map(Vec::into_boxed_slice).collect();
        self.erased.forget_until(watermark);
        let told_set: HashSet<&Encoded> = told.iter().collect();
        *self.erased.is_owed.lock() = self.erased.records().iter().any(|record| !told_set.contains(record));
        drop(told_set);
        self.erased.add_encoded(told);
        *self.erased.name.lock() = Some(name.cloned());
        Ok(())
    }

    /// Tells a log that lacks some of what was erased: it went back, or was made anew.
    pub(super) fn restate_erased(&self, reader: &mut Reader) -> Result<(), LogError> {
        let is_owed = *self.erased.is_owed.lock();
        if !is_owed || reader.erased_restated_at.is_some_and(|at| at.elapsed() < RESTATE_INTERVAL) {
            return Ok(());
        }
        reader.erased_restated_at = Some(Instant::now());
        self.erased.forget_until(reader.watermark());
        let mut command = self.script(script::STATE_ERASED);
        command.arg(self.random_tag()?);
        for record in self.erased.records().iter() {
            command.arg(&**record);
        }
        // By its new name it is read again, and compared.
        match self.reader.with(Duration::ZERO, |wire, _| command.exec(wire)) {
            Err(error) if error.is_certain() => {
                tracing::warn!(%error, "degraded: the log could not be told what was erased");
                Ok(())
            }
            done => done,
        }
    }

    pub(super) fn erase_everywhere(&self, records: &[Placed]) -> Result<(), LogError> {
        self.begin_once()?;
        let tag = self.random_tag()?;
        let encoded: Vec<Encoded> = records.iter().map(|(_, record)| encoded::write(record)).collect();
        let mut command = self.script(script::ERASE);
        command.arg(tag).arg(ERASED_MAX);
        for record in &encoded {
            command.arg(&**record);
        }
        let mut pipeline = redis::pipe();
        pipeline.add_command(command);
        let wait = self.confirm(&mut pipeline, self.place.wait);
        let answers: Vec<Value> = self.writer.with(wait, |wire, _| pipeline.query(wire))?;
        if answers.first() == Some(&Value::Int(0)) {
            return Err(LogError::TooManyErased { max: ERASED_MAX });
        }
        // What was not confirmed may come to nothing, and this node does not go by it before it is read.
        if wait > Duration::ZERO {
            self.confirmed(&answers)?;
        }
        self.erased.add_encoded(encoded);
        // Whoever is read may be another server.
        *self.erased.name.lock() = None;
        Ok(())
    }

    /// What was erased. The file is told of it, and lets go of it.
    pub(super) fn forget_erased(&self) -> Result<Vec<Record>, LogError> {
        let count = self.erased.count();
        let records: Vec<Record> = self.erased.records().iter().filter_map(|record| encoded::record(record)).collect();
        if let Some(copy) = self.copy.as_ref().filter(|_| self.erased.filed.load(Ordering::Acquire) < count) {
            match copy.erase(&records) {
                Ok(()) => self.erased.filed.store(count, Ordering::Release),
                // It is told again at the next erasure, and when the log is opened again. What it gives back meanwhile is passed over.
                Err(error) => tracing::warn!(%error, "degraded: the local file could not be told what was erased"),
            }
        }
        Ok(records)
    }

    /// What is wanted: in the stream, as it is on the server that the reader follows; and what this node holds that the stream
    /// lacks.
    pub(super) fn find_everywhere(
        &self,
        known: Cursor,
        is_wanted: &dyn Fn(&Record) -> bool,
    ) -> Result<Vec<Placed>, LogError> {
        let interrupted =
            |fault: &str| LogError::Interrupted { server: self.place.shown.clone(), fault: fault.to_owned() };
        let erased = self.erased.records();
        let (mut found, mut end, mut connection) = (Vec::new(), 0, None);
        loop {
            let command = self.entries(super::behind(end), POSITION_MAX, FIND_AT_ONCE);
            let (entries, count, knows) = self.reader.with(Duration::ZERO, |wire, count| {
                let entries: Value = command.query(wire)?;
                // At the end alone, since nothing can be behind it then that was not looked at.
                let is_end = list(&entries).is_empty();
                let knows = !is_end || self.ask(wire, known.position, 1)?.knows(known);
                Ok((entries, count, knows))
            })?;
            if *connection.get_or_insert(count) != count || !knows {
                return Err(interrupted("it was led to another server while it was looked through"));
            }
            let mut last = None;
            for entry in list(&entries).iter().filter_map(Entry::read) {
                last = Some(entry.position);
                if let Ok(decoded) = entry.decode()
                    && !erased.contains(entry.bytes())
                {
                    let record = decoded.whole();
                    found.extend(is_wanted(&record).then_some((entry.position, record)));
                }
            }
            match last {
                Some(last) => end = last,
                None => break,
            }
        }
        let reader = self.state.lock();
        if reader.is_interrupted || reader.copying.is_comparing() {
            return Err(interrupted("it is being read anew"));
        }
        let owed = reader.to_repair.iter().chain(reader.lacking.iter().flatten());
        let mut owed: Vec<Encoded> = owed.cloned().collect();
        drop(reader);
        owed.extend(self.unseen.lock().acknowledged());
        let owed = owed.iter().filter(|bytes| !erased.contains(*bytes)).filter_map(|bytes| encoded::record(bytes));
        let owed: Vec<Record> = owed.filter(is_wanted).collect();
        let mut held: HashSet<Record> = found.iter().map(|(_, record)| record.clone()).collect();
        found.extend(owed.into_iter().filter(|record| held.insert(record.clone())).map(|record| (0, record)));
        if let Some(copy) = &self.copy {
            for_each_unsent(&**copy, &mut |record| {
                if is_wanted(record) && !erased.contains(&encoded::write(record)) && held.insert(record.clone()) {
                    found.push((0, record.clone()));
                }
            })?;
        }
        Ok(found)
    }
}
