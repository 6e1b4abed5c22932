//! What every log must do. Each implementation is run through all of it.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{Cursor, LifetimeChange, LogError, LongestLifetime, MemoryLog, PLAUSIBLE_STEP, Page, Read, RevocationLog};
use crate::clock::{ClockTrust, UnixTime};
use crate::revocation::{Issuer, Record, Target, Value};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

#[cfg(feature = "redis")]
#[path = "../../tests/redis_server/mod.rs"]
pub(in crate::log) mod redis_server;

/// A log, and as many further readers of it as are asked for.
struct Bench {
    open: Box<dyn Fn() -> Box<dyn RevocationLog>>,
    /// Sets the clock that counts for the log, where that is not the one that it is told by.
    set_clock: Box<dyn Fn(UnixTime)>,
    /// What it lies on, which ends with it.
    _place: Option<Box<dyn std::any::Any>>,
}

/// Some bytes that are others each time: the standard library's hash keys, which the system seeds.
#[cfg(feature = "redis")]
fn random() -> Option<[u8; 16]> {
    use std::hash::{BuildHasher as _, RandomState};
    Some(std::array::from_fn(|_| RandomState::new().hash_one(0_u8).to_le_bytes()[0]))
}

/// A log on a server, whose copy is in a file if one is named.
#[cfg(feature = "redis")]
pub(in crate::log) fn open_redis(url: &str, local_file: Option<&std::path::Path>) -> super::RedisLog {
    let opening = super::Opening {
        create: super::Create::IfMissing,
        may_be_away: false,
        max_staleness: Duration::from_secs(30),
        local_file,
        on_outage: None,
    };
    super::RedisLog::open(url, &opening, random).unwrap().0
}

fn all() -> Vec<(&'static str, Bench)> {
    let memory = MemoryLog::new([7; 16]);
    #[allow(unused_mut)]
    let mut logs = vec![(
        "memory",
        Bench { open: Box::new(move || Box::new(memory.clone())), set_clock: Box::new(|_| {}), _place: None },
    )];
    #[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signoff.db");
        let open = move || -> Box<dyn RevocationLog> {
            let random = || Some(*uuid::Builder::from_u128(7).as_uuid().as_bytes());
            let (log, origin) =
                super::SqliteLog::open(&path, super::FileOptions::new(super::Create::IfMissing), random).unwrap();
            if origin == super::Origin::Created {
                // By this machine's clock; the suite has its own.
                log.confirm_time(NOW, None).unwrap();
            }
            Box::new(log)
        };
        logs.push((
            "sqlite",
            Bench { open: Box::new(open), set_clock: Box::new(|_| {}), _place: Some(Box::new(folder)) },
        ));
    }
    #[cfg(feature = "redis")]
    if redis_server::is_there() {
        let on_a_server = |path: Option<std::path::PathBuf>, folder: Option<tempfile::TempDir>| {
            let server = std::rc::Rc::new(redis_server::RedisServer::start(&[]));
            let url = server.url("namespace=conformance");
            let of_clock = std::rc::Rc::clone(&server);
            let set_clock = move |time: UnixTime| {
                of_clock.clock.stands_at(Duration::from_millis(time.as_millis().unsigned_abs()));
            };
            set_clock(NOW);
            let open = move || -> Box<dyn RevocationLog> { Box::new(open_redis(&url, path.as_deref())) };
            Bench { open: Box::new(open), set_clock: Box::new(set_clock), _place: Some(Box::new((server, folder))) }
        };
        logs.push(("redis", on_a_server(None, None)));
        #[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
        {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("signoff.db");
            logs.push(("redis with a local file", on_a_server(Some(path), Some(folder))));
        }
    }
    logs
}

pub(in crate::log) fn record(jti: &str, keep_until: Option<i64>) -> Record {
    Record {
        target: Target::Token(jti.into()),
        issuer: Issuer::Any,
        issued_before: None,
        keep: Vec::new(),
        keep_until: keep_until.map(UnixTime::from_secs),
        recorded_at: NOW,
        reason: None,
    }
}

/// The values behind a position, and what the read said.
fn read(log: &dyn RevocationLog, after: Cursor) -> (Vec<String>, Read) {
    let mut values = Vec::new();
    let read = log.read(after, &mut |record| {
        if let Value::Text(text) = record.value {
            values.push(text.to_owned());
        }
        ControlFlow::Continue(())
    });
    (values, read.unwrap())
}

fn cursor(read: Read) -> Cursor {
    let Read::ToHead { cursor, .. } = read else { panic!("{read:?}") };
    cursor
}

#[test]
fn records_are_read_in_order_by_every_reader_and_once() {
    for (name, bench) in all() {
        let (log, other) = ((bench.open)(), (bench.open)());
        assert_eq!(read(&*log, Cursor::default()).0, Vec::<String>::new(), "{name}");
        let first = log.append(&[record("a", None), record("b", None)]).unwrap();
        let second = log.append(&[record("c", None)]).unwrap();
        assert!(first.first < first.last.position && first.last.position < second.first, "{name}");
        assert_ne!(first.last.tag, second.last.tag, "{name}");
        for reader in [&log, &other] {
            let (values, done) = read(&**reader, Cursor::default());
            assert_eq!((values, cursor(done)), (vec!["a".into(), "b".into(), "c".into()], second.last), "{name}");
            assert_eq!(read(&**reader, second.last), (Vec::new(), Read::Unchanged), "{name}");
        }
        assert_eq!(log.count_after(Cursor::default()).unwrap(), 3);
        let third = other.append(&[record("d", None)]).unwrap();
        let (values, done) = read(&*log, second.last);
        assert_eq!((values, cursor(done)), (vec!["d".to_owned()], third.last), "{name}");
    }
}

#[test]
fn a_reader_that_stopped_or_knows_another_log_is_told() {
    for (name, bench) in all() {
        let log = (bench.open)();
        let end = log.append(&[record("a", None), record("b", None)]).unwrap().last;
        let stopped = log.read(Cursor::default(), &mut |_| ControlFlow::Break(())).unwrap();
        assert_eq!(stopped, Read::Stopped, "{name}");
        // What was not read to its end does not count as seen.
        assert_eq!(read(&*log, Cursor::default()).0.len(), 2, "{name}");
        log.append(&[record("c", None)]).unwrap();
        for wrong in [
            Cursor { tag: end.tag ^ 1, ..end },
            Cursor { position: end.position + 100, ..end },
            Cursor { position: end.position + 100, keep_until: Some(NOW), ..end },
        ] {
            assert_eq!(read(&*log, wrong), (Vec::new(), Read::Rewound), "{name}");
        }
        assert_eq!(read(&*log, end).0, ["c"], "{name}");
    }
}

#[test]
fn collection_deletes_what_has_passed_but_never_the_newest_and_its_watermark_only_rises() {
    for (name, bench) in all() {
        let log = (bench.open)();
        let until = |secs| Some(NOW.as_secs() + secs);
        log.append(&[record("a", until(10)), record("b", None), record("c", until(20)), record("d", until(10))])
            .unwrap();
        let values = |log: &dyn RevocationLog| read(log, Cursor::default()).0;
        let collect = |secs, max| {
            let now = NOW.plus(Duration::from_secs(secs));
            (bench.set_clock)(now);
            log.collect(now, max, ClockTrust::Confirmed).unwrap()
        };
        let other = (bench.open)();
        let done = collect(9, 100);
        assert_eq!((done.deleted, values(&*other).len()), (0, 4), "{name}");
        let done = collect(10, 100);
        assert_eq!((done.deleted, done.watermark), (1, NOW.plus(Duration::from_secs(10))), "{name}");
        assert_eq!(values(&*other), ["b", "c", "d"], "{name}");
        // A clock that has stepped back.
        let done = collect(0, 100);
        assert_eq!((done.deleted, done.watermark), (0, NOW.plus(Duration::from_secs(10))), "{name}");
        // The reader that stands on the newest goes on from there.
        let end = cursor(read(&*(bench.open)(), Cursor::default()).1);
        let new = log.append(&[record("e", None)]).unwrap();
        assert!(new.first > end.position, "{name}");
        collect(20, 1);
        let (values, done) = read(&*other, end);
        assert_eq!(values, ["e"], "{name}");
        let Read::ToHead { facts, .. } = done else { panic!("{done:?}") };
        assert_eq!(facts.watermark, Some(NOW.plus(Duration::from_secs(20))), "{name}");
    }
}

#[test]
fn the_newest_time_follows_plausible_steps_alone_until_it_is_confirmed() {
    for (name, bench) in all() {
        let log = (bench.open)();
        let facts = || match (bench.open)().read(Cursor::default(), &mut |_| ControlFlow::Continue(())) {
            Ok(Read::ToHead { facts, .. }) => facts,
            Ok(_) | Err(_) => panic!("{name} is not read to its head"),
        };
        let append_at = |time| {
            (bench.set_clock)(time);
            log.append(&[Record { recorded_at: time, ..record("a", None) }]).unwrap();
        };
        let week = NOW.plus(PLAUSIBLE_STEP);
        append_at(NOW);
        append_at(week.plus(Duration::from_millis(1)));
        assert_eq!(facts().newest, Some(NOW), "{name}");
        append_at(week);
        assert_eq!(facts().newest, Some(week), "{name}");
        let year = NOW.plus(Duration::from_secs(365 * 86_400));
        (bench.set_clock)(year);
        log.confirm_time(year, Some(year)).unwrap();
        assert_eq!((facts().newest, facts().watermark), (Some(year), Some(year)), "{name}");
    }
}

#[test]
fn the_longest_lifetime_is_lowered_and_never_raised() {
    for (name, bench) in all() {
        let log = (bench.open)();
        let day = Duration::from_secs(86_400);
        log.set_longest_lifetime(2 * day).unwrap();
        log.set_longest_lifetime(2 * day).unwrap();
        log.set_longest_lifetime(day).unwrap();
        let error = log.set_longest_lifetime(2 * day).unwrap_err();
        assert_eq!(error, LogError::LifetimeRaised { stored: day, asked: 2 * day }, "{name}");
        let Read::ToHead { facts, .. } = read(&*log, Cursor::default()).1 else { panic!("{name}") };
        assert_eq!(facts.longest_lifetime, Some(LongestLifetime::of(day, None)), "{name}");
    }
}

#[test]
fn the_longest_lifetime_is_raised_on_purpose_and_everybody_hears_of_it() {
    for (name, bench) in all() {
        let (log, other) = ((bench.open)(), (bench.open)());
        let day = Duration::from_secs(86_400);
        let facts = |log: &dyn RevocationLog| match read(log, Cursor::default()).1 {
            Read::ToHead { facts, .. } => facts,
            read @ (Read::Unchanged | Read::Stopped | Read::Rewound) => panic!("{name}: {read:?}"),
        };
        assert!(
            log.replace_longest_lifetime(LifetimeChange::Raise(day), NOW).unwrap() < NOW.plus(day),
            "{name}: there is none"
        );
        log.set_longest_lifetime(day).unwrap();
        let from = log.replace_longest_lifetime(LifetimeChange::Raise(30 * day), NOW).unwrap();
        assert!(from.since(NOW) >= Duration::from_secs(600), "{name}");
        let lifetime = facts(&*other).longest_lifetime.unwrap();
        let before = from.minus(Duration::from_millis(1));
        assert_eq!((lifetime.of_issued_at(before), lifetime.of_issued_at(from)), (day, 30 * day), "{name}");
        // Who is still told the former leaves it as it is; and it is not raised again as long as tokens of before are about.
        other.set_longest_lifetime(day).unwrap();
        assert_eq!(facts(&*log).longest_lifetime, Some(lifetime), "{name}");
        let again = log.replace_longest_lifetime(LifetimeChange::Raise(60 * day), NOW).unwrap_err();
        assert!(matches!(again, LogError::LifetimeNotYet { wait } if wait > day), "{name}: {again}");
        // The same again is none.
        assert_eq!(log.replace_longest_lifetime(LifetimeChange::Raise(30 * day), NOW), Ok(from), "{name}");
        // What was stated by mistake.
        log.replace_longest_lifetime(LifetimeChange::Replace(Some(2 * day)), NOW).unwrap();
        assert_eq!(facts(&*other).longest_lifetime, Some(LongestLifetime::of(2 * day, None)), "{name}");
        log.replace_longest_lifetime(LifetimeChange::Replace(None), NOW).unwrap();
        assert_eq!(facts(&*other).longest_lifetime, None, "{name}");
    }
}

#[test]
fn a_list_is_shown_a_page_at_a_time_with_everything_that_was_recorded() {
    for (name, bench) in all() {
        let log = (bench.open)();
        let whole = Record {
            target: Target::Subject("u".to_owned()),
            issuer: Issuer::Named("i".to_owned()),
            issued_before: Some(NOW),
            keep: vec!["k".to_owned()],
            keep_until: None,
            recorded_at: NOW,
            reason: Some("why".to_owned()),
        };
        let end = log.append(&[record("a", Some(1)), whole.clone(), record("c", None)]).unwrap().last;
        let page = log.list(0, 2).unwrap();
        assert_eq!(shown(&page), [record("a", Some(1)), whole], "{name}");
        let rest = log.list(page.end.unwrap(), 2).unwrap();
        assert_eq!((shown(&rest), rest.end), (vec![record("c", None)], Some(end.position)), "{name}");
        assert_eq!(log.list(end.position, 2).unwrap().end, None, "{name}");
        assert_eq!(log.give_back().unwrap(), crate::log::Room::GivenBack);
        log.rewrite().unwrap();
        assert_eq!(log.list(0, 10).unwrap().records.len(), 3, "{name}");
    }
}

fn shown(page: &Page) -> Vec<Record> {
    page.records.iter().map(|(_, record)| record.clone()).collect()
}

#[test]
fn what_was_erased_is_read_by_nobody_any_more_and_everybody_can_ask_what_it_was() {
    for (name, bench) in all() {
        let (log, other) = ((bench.open)(), (bench.open)());
        let all = [record("a", None), record("b", Some(1_700_000_100)), record("c", Some(1_700_000_100))];
        log.append(&all).unwrap();
        let (values, stands) = read(&*other, Cursor::default());
        assert_eq!((values.len(), other.erasures()), (3, 0), "{name}");
        let found = log.find(cursor(stands), &|record| *record != all[0]).unwrap();
        assert_eq!(found.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>(), all[1..], "{name}");
        log.erase(&found).unwrap();
        // Who stands at one of them reads on from there.
        let behind = log.append(&[record("d", None)]).unwrap().last;
        let (values, read_on) = read(&*other, cursor(stands));
        assert_eq!((values, cursor(read_on).position), (vec!["d".to_owned()], behind.position), "{name}");
        assert_ne!(other.erasures(), 0, "{name}");
        let mut erased = other.erased().unwrap();
        erased.sort_by_key(|record| record.target.value());
        assert_eq!(erased, all[1..], "{name}");
        // Who reads anew does not find them.
        let anew = (bench.open)();
        let (values, _) = read(&*anew, Cursor::default());
        assert_eq!(values, ["a", "d"], "{name}");
        assert_eq!(anew.find(Cursor::default(), &|record| all[1..].contains(record)).unwrap(), [], "{name}");
        // They are remembered for as long as they would have been kept, and what is recorded anew is another record.
        (bench.set_clock)(UnixTime::from_secs(1_700_000_101));
        log.collect(UnixTime::from_secs(1_700_000_101), 100, ClockTrust::Confirmed).unwrap();
        log.append(&[record("e", None)]).unwrap();
        let (mut values, _) = read(&*(bench.open)(), Cursor::default());
        // A collection may have written again what is live in front, which a reader with a file may meet twice.
        values.sort();
        values.dedup();
        assert_eq!(values, ["a", "d", "e"], "{name}");
        assert_eq!((bench.open)().erased().unwrap(), [], "{name}");
    }
}

#[test]
fn what_is_recorded_in_the_millisecond_of_what_was_erased_counts() {
    for (name, bench) in all() {
        let log = (bench.open)();
        let again = record("a", None);
        log.append(std::slice::from_ref(&again)).unwrap();
        let found = log.find(Cursor::default(), &|record| *record == again).unwrap();
        log.erase(&found).unwrap();
        log.append(&[again]).unwrap();
        assert_eq!(read(&*(bench.open)(), Cursor::default()).0, ["a"], "{name}");
    }
}
