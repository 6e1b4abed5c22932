//! Stories of revocation: bytes → a sequence of revoke, verify, sign, clock moves, collections, merges and
//! reopenings, each verdict held to the obvious engine's. The tests include this file too.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signoff::{
    Algorithm, ClockTrust, Engine, Error, Issuer, Key, KeySet, Log, NewToken, Policy, Revocation, Revoked, Scratch,
    SignError, Threads, Times, UnixTime,
};

use crate::oracle::revocation::{Meant, Revocations, Rule, Token};

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const START: i64 = 1_700_000_000_000;
const DAY: i64 = 86_400_000;

/// The choices of a story, one byte after the other. It ends with them.
struct Choices<'d>(&'d [u8]);

impl Choices<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        self.next().map(|byte| all[usize::from(byte) % all.len()])
    }
}

struct Story {
    log: Log,
    engine: Engine,
    scratch: Scratch,
    obvious: Revocations,
    now: i64,
    boot: i64,
    leeway: i64,
    fillers: u32,
    /// The newest time that the log has seen to be plausible.
    newest: Option<i64>,
}

/// Plays a story on a log, which may be opened again at any time. `newest` is the newest time that a new
/// log of this kind knows.
pub fn play(log: Log, newest: Option<i64>, data: &[u8]) {
    let mut choices = Choices(data);
    let lifetime = choices.of(&[None, Some(DAY)]).flatten();
    let mut log = log.threads(Threads::None).max_staleness(Duration::from_secs(1 << 40));
    if let Some(lifetime) = lifetime {
        log = log.longest_lifetime(Duration::from_millis(lifetime as u64));
    }
    let mut story = Story {
        engine: open(&log, 0),
        log,
        scratch: Scratch::new(),
        obvious: Revocations { longest_lifetime: lifetime, ..Revocations::default() },
        now: START,
        boot: 1_000_000_000_000,
        leeway: 0,
        fillers: 0,
        newest,
    };
    while story.step(&mut choices).is_some() {}
}

fn open(log: &Log, leeway: i64) -> Engine {
    let keys = KeySet::new([Key::hmac(Algorithm::Hs256, SECRET).unwrap()]).unwrap();
    let policy = Policy::new().leeway(Duration::from_millis(leeway as u64));
    Engine::open(keys, policy, log.clone()).unwrap()
}

/// For the fuzzer: a log in memory.
pub fn revocation_story(data: &[u8]) {
    play(Log::memory(), None, data);
}

impl Story {
    fn times(&self) -> Times {
        Times::at(UnixTime::from_millis(self.now)).since_boot(Duration::from_millis(self.boot as u64))
    }

    fn step(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        match choices.next()? % 12 {
            0..=3 => self.verify(choices),
            4 | 5 => self.revoke(choices),
            6 => self.sign(choices),
            7 => self.move_clock(choices),
            8 => self.collect(choices),
            9 => {
                self.engine.refresh_at(self.times()).unwrap();
                self.take_watermark();
                Some(())
            }
            10 => {
                self.leeway = choices.of(&[0, 1000, 300_000])?;
                self.engine = open(&self.log, self.leeway);
                Some(())
            }
            _ => {
                // Enough for the recent set to be sealed now and then.
                if self.fillers < 2 && choices.next()? > 200 {
                    for n in 0..4100 {
                        let id = format!("filler {} {n}", self.fillers);
                        self.engine.revoke_at(Revocation::token_id(id), self.times()).unwrap();
                    }
                    self.fillers += 1;
                    self.saw(self.now);
                }
                Some(())
            }
        }
    }

    fn token(&self, choices: &mut Choices<'_>) -> Option<Token> {
        let exp = START + choices.of(&[0, 1_000, 60_000, 3_600_000, DAY / 2, DAY, 30 * DAY])?;
        let iat = choices.of(&[
            None,
            Some(-DAY),
            Some(-1000),
            Some(0),
            Some(1),
            Some(499),
            Some(500),
            Some(1000),
            Some(60_000),
        ])?;
        let sid = choices.of(&[None, Some("s"), Some("t")])?;
        let sub = choices.of(&[None, Some("u"), Some("v")])?;
        let iss = choices.of(&[None, Some("i"), Some("j")])?;
        // A `jti` names one token, so that it has one end.
        let jti = choices.of(&[None, Some('a'), Some('b')])?.map(|name| format!("{name}{exp}"));
        let iat = iat.map(|offset| START + offset);
        let mut claims = format!(r#"{{"exp":{}"#, UnixTime::from_millis(exp));
        let texts = [("jti", jti.as_deref()), ("sid", sid), ("sub", sub), ("iss", iss)];
        for (name, value) in texts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            claims += &format!(r#","{name}":"{value}""#);
        }
        if let Some(iat) = iat {
            claims += &format!(r#","iat":{}"#, UnixTime::from_millis(iat));
        }
        let text = signed(&format!("{claims}}}"));
        Some(Token { jti, sid, sub, iss, iat, exp, text })
    }

    fn verify(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let token = self.token(choices)?;
        // At the story's time, or at another that somebody asks for.
        let now = match choices.next()? {
            byte if byte < 200 => self.now,
            byte => START + (i64::from(byte) - 228) * DAY,
        };
        let times = Times::at(UnixTime::from_millis(now)).since_boot(Duration::from_millis(self.boot as u64));
        let verdict = match self.engine.verify_at(&mut self.scratch, &token.text, times) {
            Ok(_) => "done",
            Err(denied) => denied.status().name(),
        };
        assert_eq!(verdict, self.obvious.verdict(&token, now, self.leeway), "{token:?} at {now}");
        Some(())
    }

    fn revoke(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let token = self.token(choices)?;
        let issuer = choices.of(&[None, Some(None), Some(Some("i"))])?;
        let of_issuer = |revocation: Revocation| match issuer {
            None => revocation,
            Some(None) => revocation.issuer(Issuer::Absent),
            Some(Some(name)) => revocation.issuer(name),
        };
        let keep: Vec<String> = [token.jti.clone(), token.sid.map(str::to_owned)].into_iter().flatten().collect();
        let keep = if choices.next()? < 100 { keep } else { Vec::new() };
        let keeping = |revocation: Revocation| keep.iter().fold(revocation, |all, id| all.keep(id.as_str()));
        let mut is_text = false;
        let (revocation, meant) = match (choices.next()? % 6, &token) {
            (1, Token { jti: Some(jti), .. }) => {
                // As long as its tokens live, which the caller knows.
                let until = UnixTime::from_millis(token.exp);
                (of_issuer(Revocation::token_id(jti.as_str()).keep_until(until)), Meant::Jti(jti.clone()))
            }
            (2, Token { sid: Some(sid), .. }) => (of_issuer(Revocation::session(*sid)), Meant::Session(sid)),
            (3 | 4, Token { sub: Some(sub), .. }) => {
                (keeping(of_issuer(Revocation::subject(*sub))), Meant::Subject(sub))
            }
            (5, _) => {
                let earlier = UnixTime::from_millis(self.now.min(START) - DAY / 2);
                (keeping(of_issuer(Revocation::everything().issued_before(earlier))), Meant::Everything)
            }
            _ => {
                is_text = true;
                let meant = token.jti.clone().map_or_else(|| Meant::Text(token.text.clone()), Meant::Jti);
                (Revocation::token_text(token.text.clone()), meant)
            }
        };
        let revoked = self.engine.revoke_at(revocation, self.times()).unwrap();
        self.take_watermark();
        if !matches!(revoked, Revoked::Recorded { .. }) {
            return Some(());
        }
        // The newest record is never collected.
        let record = self.engine.revocations().unwrap().last().unwrap().unwrap();
        self.saw(self.now);
        let cut_off = record.issued_before.map(UnixTime::as_millis);
        let keep = if cut_off.is_some() { keep } else { Vec::new() };
        let issuer = if is_text { Some(token.iss) } else { issuer };
        if let (Some(cut_off), Meant::Subject(_)) = (cut_off, &meant) {
            assert!((self.now..=self.now + 60_000).contains(&cut_off), "{cut_off} at {}", self.now);
        }
        self.obvious.rules.push(Rule { meant, issuer, cut_off, keep });
        Some(())
    }

    fn sign(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (sub, sid) = (choices.of(&["u", "v"])?, choices.of(&[None, Some("s")])?);
        let sid = sid.map_or(String::new(), |sid| format!(r#","sid":"{sid}""#));
        let new = NewToken::from_json(format!(r#"{{"sub":"{sub}"{sid}}}"#)).expires_in(Duration::from_secs(3600));
        match self.engine.sign_at(new, self.times()) {
            Ok(token) => {
                let times = self.times();
                let verdict = self.engine.verify_at(&mut self.scratch, token.token(), times);
                assert!(verdict.is_ok_and(|accepted| accepted.subject() == Some(sub)), "signed and refused");
            }
            // The clock stands far before a cut-off or the watermark, or the session has ended.
            Err(Error::Sign(
                SignError::CutOffAhead { .. } | SignError::Revoked { .. } | SignError::WouldBeRejected(_),
            )) => {}
            Err(other) => panic!("{other}"),
        }
        Some(())
    }

    fn move_clock(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let by = choices.of(&[1, 499, 1000, 60_000, 700_000, DAY, 8 * DAY, 400 * DAY, -1000, -3_600_000, -2 * DAY])?;
        self.now = (self.now + by).clamp(START - 30 * DAY, START + 3650 * DAY);
        // Uptime follows as a rule, and not when somebody has set the clock.
        self.boot += if choices.next()? < 128 { by.max(0) } else { 1 };
        Some(())
    }

    fn collect(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let trust = choices.of(&[ClockTrust::Doubt, ClockTrust::Doubt, ClockTrust::Confirmed])?;
        self.engine.compact_at(trust, self.times()).unwrap();
        if trust == ClockTrust::Confirmed {
            self.newest = Some(self.now);
        }
        self.take_watermark();
        Some(())
    }

    /// The watermark is the engine's to choose, within what it promises.
    fn take_watermark(&mut self) {
        let Some(watermark) = self.engine.health().watermark.map(UnixTime::as_millis) else { return };
        let before = self.obvious.watermark;
        assert!(before.is_none_or(|before| watermark >= before), "the watermark went back");
        if before != Some(watermark) {
            assert_eq!(watermark, self.now, "a watermark that is no time of ours");
            let implausible = self.newest.is_some_and(|newest| self.now > newest + 7 * DAY);
            assert!(!implausible, "collected by a clock that can't be believed");
            self.saw(self.now);
        }
        self.obvious.watermark = Some(watermark);
    }

    fn saw(&mut self, time: i64) {
        self.newest = Some(match self.newest {
            None => time,
            Some(newest) if time > newest + 7 * DAY => newest,
            Some(newest) => newest.max(time),
        });
    }
}

fn signed(claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes())))
}
