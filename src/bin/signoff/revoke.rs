//! `signoff revoke`: logs out one token, session or subject, everything, or a file of them.

use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use clap::{Args, ValueHint};
use signoff::{
    Algorithm, Engine, Error, KeySet, Log, NumericIds, Origin, Policy, Revocation, Revoked, Revoking, Status, Threads,
    Times, UnixTime,
};

use crate::names::{Kind, fault_of_name, is_blank, revocation_of};
use crate::{Failure, Outcome, in_words, keys, log, records, time_values};

#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct Arguments {
    /// The log: the path of a file, or the URL of a Redis server.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    log: String,
    /// Make the log if it is missing; a revocation that fails makes none.
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    keys: keys::KeyArguments,
    /// The token to log out of; - reads it from standard input, so that it stays out of the shell's history.
    #[arg(group = "what")]
    token: Option<String>,
    /// A token by its id: a jti, or as `list` prints it (jti:... or sha256:...).
    #[arg(long, value_name = "ID", allow_negative_numbers = true, group = "what")]
    token_id: Option<String>,
    /// Every token of a login (sid).
    #[arg(long, value_name = "SID", allow_negative_numbers = true, group = "what")]
    session: Option<String>,
    /// Every token of a subject (sub) that was issued up to now.
    #[arg(long, value_name = "SUB", allow_negative_numbers = true, group = "what")]
    subject: Option<String>,
    /// Every token issued up to a time. Wants --yes.
    #[arg(long, value_name = "TIME", value_parser = time_values::time, group = "what")]
    everything_before: Option<UnixTime>,
    /// A file with a token on each line; - for standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "what")]
    tokens: Option<String>,
    /// A file with a token id on each line; - for standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "what")]
    token_ids: Option<String>,
    /// A file with a session (sid) on each line; - for standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "what")]
    sessions: Option<String>,
    /// A file with a subject (sub) on each line; - for standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "what")]
    subjects: Option<String>,
    /// A file with what `list` prints, of another log: all of it is logged out here too; - for standard input. Where it ends everything
    /// up to a time it wants --yes.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "what", conflicts_with_all = ["issuer", "keep", "keep_until", "reason"])]
    records: Option<String>,
    /// Only tokens of this issuer (iss). A token says its own.
    #[arg(long, value_name = "ISSUER", conflicts_with_all = ["token", "tokens"])]
    issuer: Option<String>,
    /// When the last token that is meant will have expired: RFC 3339 or Unix seconds.
    #[arg(long, value_name = "TIME", value_parser = time_values::time)]
    keep_until: Option<UnixTime>,
    /// A jti or sid that is spared, of a subject or of everything; may be given several times.
    #[arg(long, value_name = "ID")]
    keep: Vec<String>,
    /// A word for whoever reads the log.
    #[arg(long)]
    reason: Option<String>,
    /// Do end everything.
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let Arguments { token, token_id, session, subject, .. } = &arguments;
    let texts = [(token, Kind::Token), (token_id, Kind::TokenId), (session, Kind::Session), (subject, Kind::Subject)];
    let single = texts.into_iter().find_map(|(text, kind)| Some((text.as_deref()?, kind)));
    let Arguments { tokens, token_ids, sessions, subjects, records, .. } = &arguments;
    let files = [
        (tokens, Lines::Names(Kind::Token)),
        (token_ids, Lines::Names(Kind::TokenId)),
        (sessions, Lines::Names(Kind::Session)),
        (subjects, Lines::Names(Kind::Subject)),
        (records, Lines::Records),
    ];
    let file = files.into_iter().find_map(|(path, lines)| Some((path.as_deref()?, lines)));

    if arguments.issuer.as_ref().is_some_and(|issuer| issuer.trim_matches(is_blank) != issuer) {
        return Err(Failure::Usage("--issuer has white space around it, and would be another one".to_owned()));
    }
    for id in &arguments.keep {
        let is_printed = ["jti:", "sid:", "sha256:"].iter().any(|front| id.starts_with(front));
        let fault =
            fault_of_name(Kind::Session, id).or(is_printed.then_some("it is the jti or the sid alone that goes here"));
        if let Some(fault) = fault {
            return Err(Failure::Usage(format!("--keep: {fault}")));
        }
    }
    if arguments.keep_until.is_some_and(|until| until <= Times::now().wall()) {
        return Err(Failure::Usage(
            "--keep-until lies before now, so that nothing would be kept; leave it out".to_owned(),
        ));
    }
    match (single, file, arguments.everything_before) {
        (Some((text, kind)), ..) => {
            let text = match (kind, text) {
                (Kind::Token, "-") => read_token()?,
                (Kind::Token, "") => return Err(Failure::Usage("the token is empty: an unset variable?".to_owned())),
                (Kind::Token, text) if !text.contains('.') || std::fs::exists(text).unwrap_or(false) => {
                    return Err(Failure::Usage(
                        "a token goes here, and this is none: a file with a token on each line goes under --tokens, an id under --token-id, and a user under --subject"
                            .to_owned(),
                    ));
                }
                _ => text.to_owned(),
            };
            if let Some(fault) = fault_of_name(kind, &text) {
                return Err(Failure::Usage(format!("what is to be logged out: {fault}")));
            }
            if let (Kind::TokenId, Some(jti)) = (kind, text.strip_prefix("jti:")) {
                eprintln!(
                    "signoff: taken as `list` prints ids, for the jti {jti:?}; a jti that begins with jti: is written with another before it"
                );
            }
            one(&arguments, revocation_of(kind, &text))
        }
        (None, Some((path, lines)), _) => many(&arguments, path, lines),
        (None, None, Some(cut_off)) => everything(&arguments, cut_off),
        (None, None, None) => Err(Failure::Usage("name what is to be logged out".to_owned())),
    }
}

fn read_token() -> Result<String, Failure> {
    let mut text = String::new();
    // Far above what an engine accepts; more is no token.
    let mut input = std::io::stdin().lock().take(2 << 20);
    input.read_to_string(&mut text).map_err(|error| Failure::of_file("standard input", &error))?;
    let lines = text.lines().filter(|line| !line.is_empty()).count();
    match lines {
        0 => Err(Failure::Usage("standard input is empty, so nothing was logged out".to_owned())),
        1 => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
        _ => Err(Failure::Usage("standard input has several lines; many tokens go under --tokens -".to_owned())),
    }
}

impl Arguments {
    fn with_options(&self, mut revocation: Revocation) -> Revocation {
        if let Some(issuer) = &self.issuer {
            revocation = revocation.issuer(issuer.as_str());
        }
        if let Some(time) = self.keep_until {
            revocation = revocation.keep_until(time);
        }
        if let Some(reason) = &self.reason {
            revocation = revocation.reason(reason.as_str());
        }
        self.keep.iter().fold(revocation, |revocation, id| revocation.keep(id.as_str()))
    }

    fn engine(&self, log: Log) -> Result<Engine, Failure> {
        log::open(self.keys_wanted()?, policy(), log)
    }

    fn keys_wanted(&self) -> Result<KeySet, Failure> {
        match self.token.is_some() || self.tokens.is_some() {
            true => self.keys.key_set(Algorithm::ALL),
            false => log::no_keys(),
        }
    }

    fn place(&self) -> String {
        log::at(&self.log).place()
    }

    /// The engine on the log. Where there is no log, it is made if that was asked for, and only for a revocation that can be carried
    /// out: `is_worth_it` tries one on an engine whose log is in memory.
    fn open(&self, threads: Threads, is_worth_it: impl FnOnce(&Engine) -> bool) -> Result<Option<Engine>, Failure> {
        let log = log::at(&self.log).threads(threads);
        if !self.create {
            return self.engine(log).map(Some);
        }
        if let Some(engine) = log::open_if_there(self.keys_wanted()?, policy(), log.clone())? {
            return Ok(Some(engine));
        }
        if !is_worth_it(&self.engine(Log::memory().threads(Threads::None))?) {
            return Ok(None);
        }
        let engine = self.engine(log.create_if_missing())?;
        if engine.health().origin == Some(Origin::Created) {
            eprintln!("signoff: {}: there was no log here; made an empty one", self.place());
        }
        Ok(Some(engine))
    }
}

/// Whoever logs out a token need not be told how its ids are spelled.
fn policy() -> Policy {
    Policy::new().numeric_ids(NumericIds::AsText)
}

fn one(arguments: &Arguments, revocation: Revocation) -> Result<Outcome, Failure> {
    let revocation = arguments.with_options(revocation);
    let mut fault = None;
    let engine = arguments.open(Threads::None, |trial| {
        fault = trial.revoke(revocation.clone()).err();
        fault.is_none()
    })?;
    let done = match (engine, fault) {
        (Some(engine), _) => engine.revoke(revocation),
        (None, Some(fault)) => Err(fault),
        (None, None) => return Err(Failure::Usage("nothing was logged out".to_owned())),
    };
    match done {
        Ok(revoked) => {
            let mut stdout = std::io::stdout().lock();
            let told = writeln!(stdout, "{}", answer(revoked)).and_then(|()| stdout.flush());
            told.map_err(|error| Failure::of_output(&error).after("it is logged out"))?;
            Ok(Outcome::Good)
        }
        Err(error) => match error.status().http_status() {
            // The token is at fault.
            401 => {
                eprintln!("signoff: {}", in_words(&error));
                Ok(Outcome::SomeRejected)
            }
            _ => Err(log::failure(error)),
        },
    }
}

fn everything(arguments: &Arguments, cut_off: UnixTime) -> Result<Outcome, Failure> {
    let now = Times::now().wall();
    let of = arguments.issuer.as_deref().map_or("any issuer".to_owned(), |issuer| format!("the issuer {issuer:?}"));
    let spared = match arguments.keep.len() {
        0 => String::new(),
        count => format!(", except for {count} that are kept"),
    };
    let what = format!(
        "every token of {of} that was issued up to {} ({}) ends, for every engine on {}{spared}; there is no undo",
        time_values::date_millis(cut_off),
        time_values::relative(cut_off, now),
        arguments.place()
    );
    if !arguments.yes {
        return Err(Failure::Usage(format!("{what}\nsignoff: nothing was done; say --yes to do it")));
    }
    eprintln!("signoff: {what}");
    one(arguments, Revocation::everything().issued_before(cut_off))
}

/// What the lines of a file are.
#[derive(Clone, Copy)]
enum Lines {
    Names(Kind),
    /// As `list` prints them.
    Records,
}

/// Why nothing is to be recorded for a line.
enum NoRevocation {
    NotUtf8,
    /// What it means has ended.
    Expired,
    Fault(String),
}

impl Lines {
    fn read(self, arguments: &Arguments, line: &[u8]) -> Result<Revocation, NoRevocation> {
        let fault = |fault: &str| Err(NoRevocation::Fault(fault.to_owned()));
        let text = std::str::from_utf8(line).map_err(|_| NoRevocation::NotUtf8)?.trim_end_matches('\r');
        match self {
            Self::Names(kind) => match fault_of_name(kind, text) {
                Some(wrong) => fault(wrong),
                None => Ok(arguments.with_options(revocation_of(kind, text))),
            },
            Self::Records => match records::read(text, Times::now().wall()).map_err(NoRevocation::Fault)? {
                records::Line::Expired => Err(NoRevocation::Expired),
                records::Line::Everything(_) if !arguments.yes => {
                    fault("the line ends every token that was issued up to a time; say --yes to do it")
                }
                records::Line::Revocation(revocation) | records::Line::Everything(revocation) => Ok(*revocation),
            },
        }
    }
}

/// How many revocations are on their way at once, so that they share commits.
const IN_FLIGHT: usize = 4096;

/// A line on its way.
struct Sent {
    line: u64,
    revoking: Result<Pin<Box<Revoking>>, NoRevocation>,
}

fn many(arguments: &Arguments, path: &str, kind: Lines) -> Result<Outcome, Failure> {
    let input: Box<dyn Read> = match path {
        "-" => Box::new(std::io::stdin().lock()),
        path => Box::new(File::open(path).map_err(|error| Failure::of_file(path, &error))?),
    };
    let bar = log::bar("bytes");
    if let Ok(metadata) = std::fs::metadata(path) {
        bar.set_length(metadata.len());
    }
    let mut stdout = std::io::stdout().lock();
    let (mut flight, mut totals) = (VecDeque::new(), Totals::default());
    let mut lines = BufReader::new(input).split(b'\n').zip(1_u64..).peekable();
    // Lines that can't be carried out are answered by the trial, until there is one for which a log is made.
    let mut before = Vec::new();
    let engine = arguments.open(Threads::Own, |trial| {
        while let Some((Ok(text), line)) = lines.peek() {
            match kind.read(arguments, text).map(|revocation| trial.revoke(revocation)) {
                Ok(Ok(_)) => return true,
                Ok(Err(error)) => before.push(totals.note(*line, Err(error))),
                Err(none) => before.push(totals.note_none(*line, none)),
            }
            lines.next();
        }
        false
    })?;
    for line in before {
        writeln!(stdout, "{line}").map_err(|error| Failure::of_output(&error))?;
    }
    loop {
        let next = lines.next();
        let is_end = next.is_none();
        if let Some((text, line)) = next {
            let text = text.map_err(|error| Failure::of_file(path, &error))?;
            bar.inc(text.len() as u64 + 1);
            let Some(engine) = &engine else { continue };
            let revoking = kind.read(arguments, &text).map(|revocation| Box::pin(engine.revoke_async(revocation)));
            flight.push_back(Sent { line, revoking });
        }
        while flight.len() >= IN_FLIGHT || (is_end && !flight.is_empty()) {
            let Some(sent) = flight.pop_front() else { break };
            let line = match sent.revoking {
                Ok(revoking) => totals.note(sent.line, wait(revoking)),
                Err(none) => totals.note_none(sent.line, none),
            };
            writeln!(stdout, "{line}").map_err(|error| Failure::of_output(&error))?;
        }
        if is_end {
            break;
        }
    }
    stdout.flush().map_err(|error| Failure::of_output(&error))?;
    bar.finish_and_clear();
    totals.outcome(path)
}

#[derive(Default)]
struct Totals {
    recorded: u64,
    covered: u64,
    expired: u64,
    failed: u64,
    /// Whether anything failed that is no fault of a line.
    environment: bool,
}

impl Totals {
    fn outcome(self, path: &str) -> Result<Outcome, Failure> {
        let Totals { recorded, covered, expired, failed, environment } = self;
        eprintln!("{recorded} recorded, {covered} already covered, {expired} already expired, {failed} failed");
        match (failed, environment, recorded + covered + expired) {
            (_, true, _) => Err(Failure::Environment("some revocations could not be recorded; do it again".to_owned())),
            (0, false, 0) => Err(Failure::Usage(format!("{path}: no line, so nothing was logged out"))),
            (0, false, _) => Ok(Outcome::Good),
            _ => Ok(Outcome::SomeRejected),
        }
    }

    fn note(&mut self, line: u64, outcome: Result<Revoked, Error>) -> String {
        match outcome {
            Ok(revoked) => {
                match revoked {
                    Revoked::AlreadyCovered => self.covered += 1,
                    Revoked::AlreadyExpired => self.expired += 1,
                    _ => self.recorded += 1,
                }
                format!(r#"{{"line":{line},{}"#, &answer(revoked)[1..])
            }
            Err(error) => {
                let status = error.status();
                self.environment |= status.http_status() == 503;
                self.failed(line, status, &in_words(&error))
            }
        }
    }

    /// A line for which nothing is recorded.
    fn note_none(&mut self, line: u64, none: NoRevocation) -> String {
        match none {
            NoRevocation::Expired => self.note(line, Ok(Revoked::AlreadyExpired)),
            NoRevocation::NotUtf8 => {
                self.failed(line, Status::NotUtf8, "the line is not UTF-8; write it so, or leave it out")
            }
            NoRevocation::Fault(fault) => self.failed(line, Status::RevocationInvalid, &fault),
        }
    }

    fn failed(&mut self, line: u64, status: Status, message: &str) -> String {
        self.failed += 1;
        let message = serde_json::Value::from(message);
        let (name, number) = (status.name(), status.number());
        format!(r#"{{"line":{line},"ok":false,"code":"{name}","number":{number},"message":{message}}}"#)
    }
}

fn answer(revoked: Revoked) -> String {
    match revoked {
        Revoked::AlreadyCovered => r#"{"ok":true,"outcome":"already-covered"}"#.to_owned(),
        Revoked::AlreadyExpired => r#"{"ok":true,"outcome":"already-expired"}"#.to_owned(),
        Revoked::Recorded { durability, .. } => {
            format!(r#"{{"ok":true,"outcome":"recorded","durability":"{}"}}"#, durability.name())
        }
        _ => r#"{"ok":true,"outcome":"recorded"}"#.to_owned(),
    }
}

/// Waits for one future on this thread.
fn wait(mut revoking: Pin<Box<Revoking>>) -> Result<Revoked, Error> {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match revoking.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => std::thread::park(),
        }
    }
}
