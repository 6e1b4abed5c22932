//! Stories of revocation: bytes → a sequence of revoke, verify, sign, clock moves, collections, resets, merges, reopenings and,
//! in a file, of what people do to it. Two engines on one log, whose clocks may differ, each of which reads when it is told to.
//!
//! Held are: each verdict to the obvious engine's, by the rules that this engine has read; and the promise, whatever happens:
//! a token that could have been accepted before a log-out is refused after that was acknowledged, and what `sign` makes after it
//! is accepted. The tests include this file too.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signoff::{
    Algorithm, ClockTrust, Engine, Error, Issuer, Key, KeySet, Log, NewToken, Policy, Record, Revocation, Revoked,
    Scratch, SignError, Target, Threads, Times, TokenId, UnixTime,
};

use crate::oracle::revocation::{Bounds, Meant, Rule, Token, verdict};

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const START: i64 = 1_700_000_000_000;
const DAY: i64 = 86_400_000;
const TEN_MINUTES: i64 = 600_000;

/// What somebody else does to a log while it is open.
#[derive(Clone, Copy, Debug)]
pub enum Tampering {
    Backup,
    Restore,
    /// Takes a record out by hand, by a number.
    Delete(u8),
}

/// Does it, and says whether it could.
pub type Tamper<'t> = &'t mut dyn FnMut(Tampering) -> bool;

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

struct Node {
    engine: Engine,
    /// How far its clock is ahead.
    ahead: i64,
    leeway: i64,
    /// The rules that it has read: the first so many, and its own.
    read: usize,
    own: BTreeSet<usize>,
    watermark: Option<i64>,
    /// The latest that its clock was seen to read: by a log-out, signing or reading.
    seen: i64,
}

/// A rule, and until when its record is kept.
struct Kept {
    rule: Rule,
    until: Option<i64>,
}

/// A token that was logged out: no engine that has read the log may accept it.
struct Owed {
    token: Token,
    /// The latest time at which what has expired may have been collected since.
    collected_at: i64,
}

struct Story<'t> {
    log: Log,
    tamper: Option<Tamper<'t>>,
    nodes: [Node; 2],
    scratch: Scratch,
    rules: Vec<Kept>,
    /// Tokens that exist: signed by somebody who is not told of log-outs, or by `sign`.
    tokens: Vec<Token>,
    owed: Vec<Owed>,
    longest_lifetime: Option<i64>,
    allowed: i64,
    now: i64,
    boot: i64,
    fillers: u32,
    /// Times at which an engine may have set a watermark.
    times: BTreeSet<i64>,
    /// Records were taken out of the log behind the engines' backs: what each holds can't be told until both are opened anew.
    is_murky: bool,
    has_backup: bool,
}

/// Plays a story on a log, which may be opened again at any time, and says how many steps it had.
pub fn play(log: Log, tamper: Option<Tamper<'_>>, data: &[u8]) -> usize {
    let mut choices = Choices(data);
    let longest_lifetime = choices.of(&[None, Some(DAY)]).flatten();
    let allowed = choices.of(&[None, None, Some(0), Some(1000), Some(60_000)]).flatten();
    let mut log = log.threads(Threads::None).max_staleness(Duration::from_secs(1 << 40));
    if let Some(lifetime) = longest_lifetime {
        log = log.longest_lifetime(Duration::from_millis(lifetime as u64));
    }
    if let Some(allowed) = allowed {
        log = log.issued_in_future_max(Duration::from_millis(allowed as u64));
    }
    let mut story = Story {
        nodes: [node(&log, 0, 0, 0), node(&log, 0, 0, 0)],
        log,
        tamper,
        scratch: Scratch::new(),
        rules: Vec::new(),
        tokens: Vec::new(),
        owed: Vec::new(),
        longest_lifetime,
        allowed: allowed.unwrap_or(5000),
        now: START,
        boot: 1_000_000_000_000,
        fillers: 0,
        times: BTreeSet::new(),
        is_murky: false,
        has_backup: false,
    };
    let mut steps = 0;
    while story.step(&mut choices).is_some() {
        steps += 1;
    }
    // In the end, what is in the log alone.
    story.reopen();
    story.settle_all();
    steps
}

fn node(log: &Log, ahead: i64, leeway: i64, read: usize) -> Node {
    let keys = KeySet::new([Key::hmac(Algorithm::Hs256, SECRET).unwrap()]).unwrap();
    let policy = Policy::new().leeway(Duration::from_millis(leeway as u64));
    let engine = Engine::open(keys, policy, log.clone()).unwrap();
    let watermark = engine.health().watermark.map(UnixTime::as_millis);
    Node { engine, ahead, leeway, read, own: BTreeSet::new(), watermark, seen: i64::MIN }
}

/// For the fuzzer: a log in memory.
pub fn revocation_story(data: &[u8]) {
    play(Log::memory(), None, data);
}

impl Story<'_> {
    fn at(&self, wall: i64) -> Times {
        Times::at(UnixTime::from_millis(wall)).since_boot(Duration::from_millis(self.boot as u64))
    }

    fn now_of(&self, node: usize) -> i64 {
        self.now + self.nodes[node].ahead
    }

    fn step(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let node = usize::from(choices.next()? % 2);
        match choices.next()? % 18 {
            0..=3 => self.verify(choices, node),
            4..=6 => self.revoke(choices, node),
            7 => self.sign(choices, node),
            8 => self.move_clock(choices),
            9 => self.collect(choices, node),
            10 | 11 => self.refresh(node),
            12 => {
                self.reopen_one(choices, node)?;
                Some(())
            }
            13 => self.fill(choices, node),
            14 => self.reset(choices, node),
            15 => self.tamper(choices),
            _ => {
                self.settle_all();
                Some(())
            }
        }
    }

    fn token(&mut self, choices: &mut Choices<'_>) -> Option<Token> {
        // One that was met before, as often as not.
        let known = choices.next()?;
        if known < 100 && !self.tokens.is_empty() {
            return Some(self.tokens[usize::from(known) % self.tokens.len()].clone());
        }
        let exp = START + choices.of(&[0, 1_000, 60_000, 3_600_000, DAY / 2, DAY, 30 * DAY])?;
        let iat = choices.of(&[
            None,
            Some(START - DAY),
            Some(START),
            Some(START + 1),
            Some(START + 500),
            Some(START + 60_000),
            Some(self.now),
            Some(self.now - 1000),
            Some(self.now + 900),
            Some(self.now + 4_000),
            Some(self.now + 40_000),
            Some(self.now / 1000 * 1000),
        ])?;
        let sid = choices.of(&[None, Some("s"), Some("t")])?;
        let sub = choices.of(&[None, Some("u"), Some("v")])?;
        let iss = choices.of(&[None, Some("i"), Some("j")])?;
        // A `jti` names one token, so that it has one end.
        let jti = choices.of(&[None, Some('a'), Some('b')])?.map(|name| format!("{name}{exp}"));
        // Whoever has a key may write anything.
        let known_cut_off =
            choices.of(&[None, None, None, None, Some(START + 500), Some(self.now), Some(self.now + 5000)])?;
        let mut claims = format!(r#"{{"exp":{}"#, UnixTime::from_millis(exp));
        let texts = [("jti", jti.as_deref()), ("sid", sid), ("sub", sub), ("iss", iss)];
        for (name, value) in texts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            claims += &format!(r#","{name}":"{value}""#);
        }
        for (name, time) in [("iat", iat), ("signoff_after", known_cut_off)] {
            if let Some(time) = time {
                claims += &format!(r#","{name}":{}"#, UnixTime::from_millis(time));
            }
        }
        let text = signed(&format!("{claims}}}"));
        let token = Token { jti, sid, sub, iss, iat, exp, known_cut_off, text };
        if known_cut_off.is_none() {
            self.meet(token.clone());
        }
        Some(token)
    }

    fn meet(&mut self, token: Token) {
        if !self.tokens.contains(&token) {
            self.tokens.push(token);
            if self.tokens.len() > 60 {
                self.tokens.remove(0);
            }
        }
    }

    fn status(&mut self, node: usize, token: &Token, now: i64) -> &'static str {
        let times = self.at(now);
        match self.nodes[node].engine.verify_at(&mut self.scratch, &token.text, times) {
            Ok(_) => "done",
            Err(denied) => denied.status().name(),
        }
    }

    fn verify(&mut self, choices: &mut Choices<'_>, node: usize) -> Option<()> {
        let token = self.token(choices)?;
        // At the engine's time, or at another that somebody asks for.
        let now = match choices.next()? {
            byte if byte < 220 => self.now_of(node),
            byte => START + (i64::from(byte) - 238) * DAY,
        };
        self.hold(node, &token, now);
        Some(())
    }

    /// Holds a verdict to the obvious engine's.
    fn hold(&mut self, node: usize, token: &Token, now: i64) {
        let found = self.status(node, token, now);
        if self.is_murky {
            return;
        }
        let Node { leeway, read, own, watermark, .. } = &self.nodes[node];
        let bounds = Bounds {
            watermark: *watermark,
            longest_lifetime: self.longest_lifetime,
            issued_in_future_max: self.allowed,
        };
        let rules =
            || self.rules.iter().enumerate().filter(|(at, _)| at < read || own.contains(at)).map(|(_, kept)| kept);
        let all = verdict(rules().map(|kept| &kept.rule), bounds, token, now, *leeway);
        // What is kept no longer may be gone, of tokens that its record was not told of.
        let is_live = |kept: &&Kept| kept.until.is_none_or(|until| watermark.is_none_or(|watermark| until > watermark));
        let live = verdict(rules().filter(is_live).map(|kept| &kept.rule), bounds, token, now, *leeway);
        assert!(found == all || found == live, "{found}, and not {all} or {live}: {token:?} at {now} by engine {node}");
    }

    fn revoke(&mut self, choices: &mut Choices<'_>, node: usize) -> Option<()> {
        let token = self.token(choices)?;
        let now = self.now_of(node);
        let issuer = choices.of(&[None, None, Some(None), Some(Some("i"))])?;
        let of_issuer = |revocation: Revocation| match issuer {
            None => revocation,
            Some(None) => revocation.issuer(Issuer::Absent),
            Some(Some(name)) => revocation.issuer(name),
        };
        let ids: Vec<String> = [token.jti.clone(), token.sid.map(str::to_owned)].into_iter().flatten().collect();
        let keep: Vec<String> = match choices.next()? {
            0..60 => ids,
            60..100 => ids.into_iter().take(1).collect(),
            100..130 => vec!["s".to_owned(), "t".to_owned()],
            _ => Vec::new(),
        };
        let keeping = |revocation: Revocation| keep.iter().fold(revocation, |all, id| all.keep(id.as_str()));
        let exact = choices.of(&[None, None, None, Some(now - 1000), Some(now.min(START)), Some(now + 30_000)])?;
        let until = |revocation: Revocation| match exact {
            None => revocation,
            Some(exact) => revocation.issued_before(UnixTime::from_millis(exact)),
        };
        let revocation = match (choices.next()? % 12, &token) {
            // As long as its tokens live, which the caller knows.
            (0 | 1, Token { jti: Some(jti), .. }) => {
                of_issuer(Revocation::token_id(jti.as_str()).keep_until(UnixTime::from_millis(token.exp)))
            }
            (2 | 3, Token { sid: Some(sid), .. }) => of_issuer(Revocation::session(*sid)),
            (4..=8, Token { sub: Some(sub), .. }) => until(keeping(of_issuer(Revocation::subject(*sub)))),
            (9, _) => {
                let earlier = UnixTime::from_millis(self.now.min(START) - DAY / 2);
                keeping(of_issuer(Revocation::everything().issued_before(earlier)))
            }
            (10, _) if choices.next()? < 40 => keeping(of_issuer(Revocation::everything())),
            _ => Revocation::token_text(token.text.clone()),
        };
        let times = self.at(now);
        let revoked = self.nodes[node].engine.revoke_at(revocation.clone(), times).unwrap();
        self.see(node, now);
        self.may_have_collected(now);
        self.take_watermark(node);
        let recorded = match revoked {
            // The newest record is never collected.
            Revoked::Recorded { .. } => Some(self.nodes[node].engine.revocations().unwrap().last().unwrap().unwrap()),
            _ => None,
        };
        if let Some(record) = recorded {
            let rule = rule_of(&record);
            if matches!(rule.meant, Meant::Subject(_)) && exact.is_none() && rule.cut_off.is_some() {
                assert!(rule.cut_off >= Some(now + self.allowed), "a cut-off at {:?} by {now}", rule.cut_off);
            }
            // A clock that was set back a little counts as it was before.
            let seen = self.nodes[node].seen;
            let latest = if exact.is_none() && seen <= now + 60_000 { seen.max(now) } else { now };
            self.owe(&rule, exact.is_none(), latest, record.keep_until.map(UnixTime::as_millis));
            self.nodes[node].own.insert(self.rules.len());
            self.rules.push(Kept { rule, until: record.keep_until.map(UnixTime::as_millis) });
        } else if matches!(revoked, Revoked::AlreadyCovered) {
            // Whatever covers it, the token that was logged out by its text is refused by whoever reads the log.
            if let (Some(token), true) = (self.tokens.iter().find(|one| one.text == token.text), is_text(&revocation)) {
                self.owed.push(Owed { token: token.clone(), collected_at: i64::MIN });
            }
        }
        Some(())
    }

    /// Notes what must be refused from now on: what this rule means and could have been accepted by a clock like the revoker's.
    fn owe(&mut self, rule: &Rule, is_now: bool, now: i64, until: Option<i64>) {
        for token in &self.tokens {
            let is_acceptable = token.iat.is_none_or(|iat| iat <= now + self.allowed);
            let is_reached = match rule.cut_off {
                Some(cut_off) if !is_now || matches!(rule.meant, Meant::Everything) => {
                    token.iat.is_none_or(|iat| iat <= cut_off)
                        && token.known_cut_off.is_none_or(|known| known < cut_off)
                }
                Some(_) | None => true,
            };
            let is_kept_as_long = until.is_none_or(|until| until >= token.exp + TEN_MINUTES);
            if rule.means(token) && !rule.keeps(token) && is_acceptable && is_reached && is_kept_as_long {
                self.owed.push(Owed { token: token.clone(), collected_at: i64::MIN });
            }
        }
        if self.owed.len() > 400 {
            self.owed.drain(..200);
        }
    }

    fn sign(&mut self, choices: &mut Choices<'_>, node: usize) -> Option<()> {
        let (sub, sid) = (choices.of(&["u", "v"])?, choices.of(&[None, Some("s"), Some("t")])?);
        let iss = choices.of(&[None, Some("i")])?;
        let mut claims = format!(r#"{{"sub":"{sub}""#);
        for (name, value) in [("sid", sid), ("iss", iss)].into_iter().filter_map(|(name, value)| Some((name, value?))) {
            claims += &format!(r#","{name}":"{value}""#);
        }
        let now = self.now_of(node);
        let new = NewToken::from_json(format!("{claims}}}")).expires_in(Duration::from_secs(3600));
        match self.nodes[node].engine.sign_at(new, self.at(now)) {
            Ok(signed) => {
                let iat = signed.issued_at().as_millis();
                assert_eq!(iat % 1000, 0, "an `iat` that not every reader takes");
                let payload = URL_SAFE_NO_PAD.decode(signed.token().split('.').nth(1).unwrap()).unwrap();
                let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
                let known = payload.get("signoff_after").map(|known| (known.as_f64().unwrap() * 1000.0).round() as i64);
                let token = Token {
                    jti: Some(signed.token_id().to_owned()),
                    sid,
                    sub: Some(sub),
                    iss,
                    iat: Some(iat),
                    exp: signed.expires_at().unwrap().as_millis(),
                    known_cut_off: known,
                    text: signed.token().to_owned(),
                };
                assert_eq!(self.status(node, &token, now), "done", "signed and refused: {token:?}");
                // Where somebody has taken records, an engine may know cut-offs that the log has lost, until it is opened anew.
                if !self.is_murky || known.is_none() {
                    self.meet(token.clone());
                }
                // Whoever has read as much and has the same clock takes it too.
                let other = 1 - node;
                if !self.is_murky && self.now_of(other) == now && self.nodes[other].read == self.rules.len() {
                    self.hold(other, &token, now);
                }
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
        let by = choices.of(&[
            1,
            1,
            499,
            1000,
            1000,
            5000,
            60_000,
            700_000,
            DAY,
            8 * DAY,
            400 * DAY,
            -1,
            -1000,
            -30_000,
            -3_600_000,
            -2 * DAY,
        ])?;
        self.now = (self.now + by).clamp(START - 30 * DAY, START + 3650 * DAY);
        // Uptime follows as a rule, and not when somebody has set the clock.
        self.boot += if choices.next()? < 128 { by.max(0) } else { 1 };
        Some(())
    }

    fn collect(&mut self, choices: &mut Choices<'_>, node: usize) -> Option<()> {
        let trust = choices.of(&[ClockTrust::Doubt, ClockTrust::Doubt, ClockTrust::Confirmed])?;
        let now = self.now_of(node);
        self.nodes[node].engine.compact_at(trust, self.at(now)).unwrap();
        self.may_have_collected(now);
        self.take_watermark(node);
        Some(())
    }

    fn refresh(&mut self, node: usize) -> Option<()> {
        let now = self.now_of(node);
        self.nodes[node].engine.refresh_at(self.at(now)).unwrap();
        self.nodes[node].read = self.rules.len();
        self.see(node, now);
        self.may_have_collected(now);
        self.take_watermark(node);
        Some(())
    }

    /// As an engine takes it: what it was set back by more than a minute was wrong before.
    fn see(&mut self, node: usize, now: i64) {
        let seen = &mut self.nodes[node].seen;
        *seen = if now + 60_000 < *seen { now } else { now.max(*seen) };
    }

    fn reopen_one(&mut self, choices: &mut Choices<'_>, at: usize) -> Option<()> {
        let (leeway, ahead) = (choices.of(&[0, 1000, 300_000])?, choices.of(&[0, 0, 0, 1500, -1500, 30_000, -60_000])?);
        if self.is_murky {
            self.reopen();
        }
        self.nodes[at] = node(&self.log, ahead, leeway, self.rules.len());
        Some(())
    }

    /// Opens both anew, with the rules that are in the log.
    fn reopen(&mut self) {
        for at in 0..2 {
            self.nodes[at] = node(&self.log, self.nodes[at].ahead, self.nodes[at].leeway, 0);
        }
        let records = self.nodes[0].engine.revocations().unwrap().map(Result::unwrap);
        let kept = |record: Record| Kept { rule: rule_of(&record), until: record.keep_until.map(UnixTime::as_millis) };
        // Those that only fill the index mean no token of ours.
        let is_filler = |record: &Record| record.target.value().starts_with("jti:filler");
        if self.is_murky {
            self.rules = records.filter(|record| !is_filler(record)).map(kept).collect();
        }
        self.is_murky = false;
        self.nodes.iter_mut().for_each(|node| node.read = self.rules.len());
    }

    /// Enough for the recent set to be sealed now and then.
    fn fill(&mut self, choices: &mut Choices<'_>, node: usize) -> Option<()> {
        if self.fillers < 2 && choices.next()? > 230 {
            let times = self.at(self.now_of(node));
            for n in 0..4100 {
                let id = format!("filler {} {n}", self.fillers);
                self.nodes[node].engine.revoke_at(Revocation::token_id(id), times).unwrap();
            }
            self.fillers += 1;
            self.may_have_collected(self.now_of(node));
            self.take_watermark(node);
        }
        Some(())
    }

    /// Takes the watermark back to an engine's time, as after a clock that was ahead.
    fn reset(&mut self, choices: &mut Choices<'_>, node: usize) -> Option<()> {
        if choices.next()? < 128 {
            return Some(());
        }
        let now = self.now_of(node);
        self.nodes[node].engine.insecure_reset_watermark(self.at(now)).unwrap();
        self.times.insert(now);
        // What was collected by a time that has not come is good again, as the call says.
        self.owed.retain(|owed| owed.collected_at < owed.token.exp + TEN_MINUTES);
        self.is_murky = true;
        self.nodes.iter_mut().for_each(|node| node.watermark = None);
        self.nodes[node].read = self.rules.len();
        Some(())
    }

    /// What somebody does to the file.
    fn tamper(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let what = match choices.next()? {
            0..100 => Tampering::Backup,
            100..180 => Tampering::Restore,
            number => Tampering::Delete(number),
        };
        if matches!(what, Tampering::Restore) && !self.has_backup {
            return Some(());
        }
        let Some(tamper) = &mut self.tamper else { return Some(()) };
        if tamper(what) {
            if matches!(what, Tampering::Backup) {
                self.has_backup = true;
            } else {
                // What was acknowledged before may be gone, and so may the cut-offs that tokens say they knew.
                self.owed.clear();
                self.tokens.retain(|token| token.known_cut_off.is_none());
                self.is_murky = true;
                self.nodes.iter_mut().for_each(|node| node.watermark = None);
            }
        }
        Some(())
    }

    /// The promise: what was logged out is refused by every engine that reads the log.
    fn settle_all(&mut self) {
        for node in 0..2 {
            self.refresh(node);
            let now = self.now_of(node);
            for at in 0..self.owed.len() {
                let token = self.owed[at].token.clone();
                let status = self.status(node, &token, now);
                assert_ne!(status, "done", "logged out and accepted: {token:?} at {now} by engine {node}");
            }
        }
    }

    /// An engine may have deleted what has expired by this time.
    fn may_have_collected(&mut self, now: i64) {
        self.times.insert(now);
        self.owed.iter_mut().for_each(|owed| owed.collected_at = owed.collected_at.max(now));
    }

    /// The watermark is the engines' to choose, within what they promise.
    fn take_watermark(&mut self, node: usize) {
        let watermark = self.nodes[node].engine.health().watermark.map(UnixTime::as_millis);
        let before = std::mem::replace(&mut self.nodes[node].watermark, watermark);
        assert!(self.is_murky || watermark >= before, "the watermark went back from {before:?} to {watermark:?}");
        if let Some(watermark) = watermark {
            assert!(self.times.contains(&watermark), "a watermark that is no time of ours");
        }
    }
}

fn is_text(revocation: &Revocation) -> bool {
    format!("{revocation:?}").contains("TokenText")
}

/// What a record means, by its own words.
fn rule_of(record: &Record) -> Rule {
    let meant = match &record.target {
        Target::Token(TokenId::Jti(jti)) => Meant::Jti(jti.to_string()),
        Target::Token(hash) => Meant::Hash(hash.to_string()),
        Target::Session(sid) => Meant::Session(sid.clone()),
        Target::Subject(sub) => Meant::Subject(sub.clone()),
        Target::Everything => Meant::Everything,
    };
    let issuer = match &record.issuer {
        Issuer::Any => None,
        Issuer::Absent => Some(None),
        Issuer::Named(name) => Some(Some(name.clone())),
    };
    Rule { meant, issuer, cut_off: record.issued_before.map(UnixTime::as_millis), keep: record.keep.clone() }
}

fn signed(claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes())))
}
