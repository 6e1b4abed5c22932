//! Answers from memory whether a token is revoked: a recent set, and segments that are merged.
//!
//! Knows no log, no clock and no file. It is a view of a log that can always be rebuilt.
//!
//! Invariants: readers never wait for a writer or a merge, and never free a segment: the writer keeps
//! every view that it has replaced until nobody reads it. A record that was added binds every screening
//! that starts afterwards.

mod bulk_load;
mod entry;
mod forget;
mod fuse_filter;
mod huge_pages;
mod issuers;
mod lookup;
mod lsm_tree;
mod memtable;
mod merged_cut_offs;
mod segment;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::{ArcSwap, Guard};

pub(crate) use bulk_load::Batch;
pub(crate) use forget::Meant;
pub use fuse_filter::Filtering;
pub use lookup::NotRevoked;

use lookup::Names;
pub(crate) use lookup::{Look, Probes, Screened, Traits};

use crate::clock::UnixTime;
use crate::revocation::{Issuer, Lane, RecordRef, Salt, Scope};
use crate::sync::Mutex;
use entry::{Entry, Until};
use forget::AddedMeanwhile;
use issuers::Issuers;
use lsm_tree::LsmTree;
use memtable::Memtable;
use merged_cut_offs::CutOff;
use segment::{Entries, Segment};

/// The index of one log.
pub(crate) struct Index {
    salt: Salt,
    issuers: Issuers,
    filtering: Filtering,
    /// The latest cut-off of any subject. Milliseconds; `i64::MIN` where there is none. Noted before it is added, and once more
    /// behind that, since what has been forgotten may have been the latest.
    latest: AtomicI64,
    published: ArcSwap<View>,
    /// Held by whoever takes segments out: locked before the writer.
    merging: Mutex<()>,
    writer: Mutex<Writer>,
}

/// What one screening reads. Only its recent sets change, and they only grow.
#[derive(Clone, Default)]
struct View {
    lanes: [LsmTree; 4],
    everything: Arc<[Everything]>,
}

/// The cut-offs of every subject of an issuer, as one.
#[derive(Clone)]
struct Everything {
    issuer: Issuer,
    cut_off: CutOff,
    until: Until,
}

impl Everything {
    /// One for each issuer, of those of a batch. None where there are none.
    fn reduce(all: Vec<Self>) -> Option<Vec<Self>> {
        let mut reduced: Vec<Self> = Vec::new();
        for new in all {
            match reduced.iter_mut().find(|held| held.issuer == new.issuer) {
                Some(held) => held.widen(new),
                None => reduced.push(new),
            }
        }
        (!reduced.is_empty()).then_some(reduced)
    }

    fn widen(&mut self, other: Self) {
        self.until = self.until.max(other.until);
        let held = std::mem::replace(&mut self.cut_off, CutOff::new(other.cut_off.at, Vec::new()));
        self.cut_off = held.merged(other.cut_off);
    }
}

#[derive(Default)]
struct Writer {
    /// Views that may still be read by somebody.
    retired: Vec<Arc<View>>,
    /// And cut-offs that were replaced in a recent set.
    retired_cut_offs: Vec<Arc<CutOff>>,
    merges: u64,
    /// Records whose time has passed, as far as the log has said.
    collected: Option<UnixTime>,
    /// While something is being forgotten: what is added meanwhile of the tokens that it means.
    added_meanwhile: Option<AddedMeanwhile>,
}

/// What an index holds, for stats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Records by scope, in the order of [`Scope::ALL`].
    pub(crate) records: [u64; 4],
    pub(crate) segments: u64,
    pub(crate) filters_missing: u64,
    pub(crate) merges: u64,
    pub(crate) bytes: u64,
}

/// What a call to [`Index::merge`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    /// Some segments became one of so many records; there may be more to do.
    Merged { records: usize },
    /// The same, but no filter could be built: the exact table is asked alone.
    WithoutFilter { records: usize },
    /// There was nothing to merge.
    Nothing,
}

/// What is held of the tokens that a new cut-off means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Earlier {
    /// The latest cut-off, of whatever issuer.
    pub(crate) latest: Option<UnixTime>,
    /// How long those of the same tokens are kept. None where there are none.
    pub(crate) kept: Option<KeptUntil>,
}

/// How long a record is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeptUntil {
    Time(UnixTime),
    ForEver,
}

impl KeptUntil {
    fn of(until: Until) -> Self {
        match until {
            Until::FOR_EVER => Self::ForEver,
            Until(secs) => Self::Time(UnixTime::from_secs(secs.into())),
        }
    }
}

impl Earlier {
    fn see(&mut self, at: UnixTime, until: Until, is_same: bool) {
        self.latest = self.latest.max(Some(at));
        if is_same {
            self.kept = self.kept.max(Some(KeptUntil::of(until)));
        }
    }
}

impl Index {
    pub(crate) fn new(salt: Salt, filtering: Filtering) -> Self {
        let (published, writer) = (ArcSwap::from_pointee(View::default()), Mutex::default());
        let latest = AtomicI64::new(i64::MIN);
        Self { salt, issuers: Issuers::default(), filtering, latest, published, merging: Mutex::default(), writer }
    }

    /// Trades what is known of the index for a view of it, which was loaded afterwards: there is no other way to one.
    ///
    /// May be called before it is known whether the view will be needed: what a screening will look at comes into the
    /// processor's cache meanwhile. `jti` is a guess that nobody has vouched for, and decides nothing.
    #[inline]
    pub(crate) fn look<'p, A>(&self, as_of: A, jti: impl FnOnce() -> Option<&'p [u8]>) -> Look<'p, A> {
        Look::new(as_of, self.published.load(), &self.salt, jti)
    }

    /// Whether a record means the token; see [`View::screen`].
    #[inline]
    pub(crate) fn screen<A>(
        &self,
        look: &Look<'_, A>,
        token: &Traits<'_>,
        signing_input: impl FnOnce() -> [u8; 32],
        probes: &mut Probes,
    ) -> Screened {
        look.view.screen(Names { salt: &self.salt, issuers: &self.issuers }, token, look.guess, signing_input, probes)
    }

    /// The latest cut-off that would revoke a token with these traits, were it issued early enough and kept by none.
    pub(crate) fn latest_cut_off<A>(&self, look: &Look<'_, A>, token: &Traits<'_>) -> Option<UnixTime> {
        look.view.latest_cut_off(Names { salt: &self.salt, issuers: &self.issuers }, token)
    }

    /// What is held of the tokens that a record with a cut-off means.
    pub(crate) fn earlier(&self, record: &RecordRef<'_>) -> Earlier {
        let view = self.view();
        let mut earlier = Earlier::default();
        for one in &*view.everything {
            earlier.see(one.cut_off.at, one.until, one.issuer.is(record.issuer));
        }
        match self.salt.of_record(record) {
            Some((lane, exact)) => view.lanes[lane as usize].each_of(exact.key, |tag, until, cut_off| {
                if let Some(cut_off) = cut_off {
                    earlier.see(cut_off.at, until, tag == exact.tag);
                }
            }),
            // It must lie behind those of every subject.
            None => earlier.latest = earlier.latest.max(self.latest()),
        }
        earlier
    }

    fn latest(&self) -> Option<UnixTime> {
        let millis = self.latest.load(Ordering::Acquire);
        (millis != i64::MIN).then_some(UnixTime::from_millis(millis))
    }

    /// Takes a record into a batch.
    pub(crate) fn put(&self, batch: &mut Batch, record: &RecordRef<'_>) {
        if let Some(cut_off) = record.issued_before {
            self.latest.fetch_max(cut_off.as_millis(), Ordering::AcqRel);
        }
        self.issuers.learn(&self.salt, record.issuer);
        batch.add(&self.salt, record);
    }

    /// The view that is current now. Let go of it soon: it keeps its segments in memory.
    fn view(&self) -> Guard<Arc<View>> {
        self.published.load()
    }

    /// Adds to the recent set; true if a full one was sealed before.
    fn insert_entry(&self, writer: &mut Writer, lane: Lane, entry: Entry, cut_off: Option<CutOff>) -> bool {
        let view = self.published.load();
        let mut has_sealed = false;
        let recent = match &view.lanes[lane as usize].recent {
            Some(recent) if !recent.is_full() => Arc::clone(recent),
            full => {
                let sealed = full.as_ref().map(|recent| {
                    let (entries, cut_offs) = recent.entries();
                    Arc::new(Segment::build(&entries, cut_offs, self.filtering))
                });
                has_sealed = sealed.is_some();
                let fresh = Arc::new(Memtable::new(lane == Lane::Subject));
                let published = Arc::clone(&fresh);
                self.change(writer, move |view| {
                    let records = &mut view.lanes[lane as usize];
                    records.recent = Some(published);
                    records.segments.extend(sealed);
                });
                fresh
            }
        };
        writer.retired_cut_offs.extend(recent.insert(entry.fingerprint(), entry.until(), cut_off));
        has_sealed
    }

    /// Adds the records of a small batch one by one. They bind every screening that starts after this returns.
    /// True if there may be something to merge now.
    pub(crate) fn insert_all(&self, batch: Batch) -> bool {
        let (lanes, everything) = batch.finish(&self.salt);
        let latest = latest_of(&lanes, &everything);
        let (mut writer, mut has_sealed) = (self.writer.lock(), false);
        writer.note_added(&lanes, &everything);
        for (lane, (entries, cut_offs)) in Lane::ALL.into_iter().zip(lanes) {
            let mut cut_offs = cut_offs.into_iter();
            for entry in entries.iter() {
                has_sealed |= self.insert_entry(&mut writer, lane, entry, cut_offs.next());
            }
        }
        writer.release();
        if let Some(everything) = Everything::reduce(everything) {
            self.change(&mut writer, |view| everything.into_iter().for_each(|new| view.add_everything(new)));
        }
        self.latest.fetch_max(latest, Ordering::AcqRel);
        has_sealed
    }

    /// Adds many records as segments of their own.
    pub(crate) fn add(&self, batch: Batch) {
        let (lanes, everything) = batch.finish(&self.salt);
        let latest = latest_of(&lanes, &everything);
        let segments = lanes.each_ref().map(|(entries, cut_offs)| {
            (entries.len() > 0).then(|| Arc::new(Segment::build(entries, cut_offs.clone(), self.filtering)))
        });
        let mut writer = self.writer.lock();
        writer.note_added(&lanes, &everything);
        self.change(&mut writer, |view| {
            for (records, segment) in view.lanes.iter_mut().zip(segments) {
                records.segments.extend(segment);
            }
            Everything::reduce(everything).into_iter().flatten().for_each(|new| view.add_everything(new));
        });
        self.latest.fetch_max(latest, Ordering::AcqRel);
    }

    /// Notes that records kept until this time or before may be left out, as the log says: it moves back where
    /// somebody has taken the log's watermark back.
    pub(crate) fn collect(&self, until: UnixTime) {
        let mut writer = self.writer.lock();
        if writer.collected != Some(until) {
            writer.collected = Some(until);
            let passed = collected_until(Some(until));
            let stale = self.published.load().everything.iter().any(|one| one.until <= passed);
            if stale {
                self.change(&mut writer, |view| {
                    view.everything = view.everything.iter().filter(|one| one.until > passed).cloned().collect();
                });
            }
        }
    }

    /// Merges some segments of one lane, if any should be. Screening goes on meanwhile.
    pub(crate) fn merge(&self) -> Merge {
        let _alone = self.merging.lock();
        let (view, collected) = {
            let mut writer = self.writer.lock();
            writer.release();
            (self.published.load_full(), collected_until(writer.collected))
        };
        let plan = Lane::ALL.into_iter().find_map(|lane| {
            let parts = view.lanes[lane as usize].to_merge(collected);
            (!parts.is_empty()).then_some((lane, parts))
        });
        let Some((lane, parts)) = plan else { return Merge::Nothing };
        let merged = Segment::merge(&parts.iter().map(|part| &**part).collect::<Vec<_>>(), collected, self.filtering);
        let (records, failed) = (merged.len(), merged.filter().has_failed());
        let merged = (merged.len() > 0).then(|| Arc::new(merged));
        let mut writer = self.writer.lock();
        self.change(&mut writer, |view| view.lanes[lane as usize].replace(&parts, merged));
        drop((view, parts));
        writer.merges += 1;
        writer.release();
        if failed { Merge::WithoutFilter { records } } else { Merge::Merged { records } }
    }

    /// Whether the records held already mean every token of this one, for as long.
    pub(crate) fn covers(&self, record: &RecordRef<'_>) -> bool {
        let until = Until::from(record.keep_until);
        let view = self.view();
        let wanted = CutOff::of(&self.salt, record);
        let Some((lane, exact)) = self.salt.of_record(record) else {
            return view.everything.iter().any(|held| {
                (held.issuer == record.issuer.into_owned() || held.issuer == Issuer::Any)
                    && held.until >= until
                    && held.cut_off.covers(&wanted)
            });
        };
        let of_any = self.salt.fingerprint(lane, record.value.bytes());
        [exact, of_any].into_iter().any(|print| view.lanes[lane as usize].covers(print, until, &wanted))
    }

    /// What is held, counted.
    pub(crate) fn contents(&self) -> Contents {
        let view = self.view();
        let mut contents = Contents { merges: self.writer.lock().merges, ..Contents::default() };
        for (lane, records) in Lane::ALL.iter().zip(&view.lanes) {
            let scope = match lane {
                Lane::Jti | Lane::SigningInput => Scope::Token,
                Lane::Session => Scope::Session,
                Lane::Subject => Scope::Subject,
            };
            contents.records[scope as usize] += records.len() as u64;
            contents.segments += records.segments.len() as u64;
            contents.filters_missing +=
                records.segments.iter().filter(|part| part.filter().has_failed()).count() as u64;
            contents.bytes += records.bytes() as u64;
        }
        contents.records[Scope::Everything as usize] = view.everything.len() as u64;
        contents
    }

    /// Publishes a changed view, and keeps the one before for as long as it is read.
    fn change(&self, writer: &mut Writer, change: impl FnOnce(&mut View)) {
        let mut view = View::clone(&self.published.load());
        change(&mut view);
        let before = self.published.swap(Arc::new(view));
        writer.retired.push(before);
        writer.release();
    }
}

impl Writer {
    fn note_added(&mut self, lanes: &[(Entries, Vec<CutOff>); 4], everything: &[Everything]) {
        if let Some(added) = &mut self.added_meanwhile {
            added.note(lanes, everything);
        }
    }

    /// Frees what nobody reads any more.
    fn release(&mut self) {
        self.retired_cut_offs.retain(|cut_off| Arc::strong_count(cut_off) > 1);
        self.retired.retain(|view| Arc::strong_count(view) > 1);
    }
}

impl View {
    fn add_everything(&mut self, new: Everything) {
        let mut all = self.everything.to_vec();
        match all.iter_mut().find(|held| held.issuer == new.issuer) {
            Some(held) => held.widen(new),
            None => all.push(new),
        }
        self.everything = all.into();
    }
}

/// The latest cut-off of a batch, in milliseconds.
fn latest_of(lanes: &[(Entries, Vec<CutOff>)], everything: &[Everything]) -> i64 {
    let subjects = lanes.iter().flat_map(|(_, cut_offs)| cut_offs).map(|cut_off| cut_off.at);
    let all = subjects.chain(everything.iter().map(|one| one.cut_off.at));
    all.max().map_or(i64::MIN, UnixTime::as_millis)
}

/// The last time, in the seconds that entries are written in, that has wholly passed.
fn collected_until(collected: Option<UnixTime>) -> Until {
    let secs = collected.map_or(0, |time| time.as_secs().max(0));
    Until(u32::try_from(secs).unwrap_or(u32::MAX).min(u32::MAX - 1))
}
