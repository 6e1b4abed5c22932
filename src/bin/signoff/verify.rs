//! `signoff verify`: tokens in, verdicts out, in order, on all cores, in bounded memory.
//!
//! The reader deals batches of lines to the workers in turn, and the writer collects their verdicts
//! in the same turn: that keeps the order without anybody having to sort.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueHint};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signoff::{Algorithm, Denied, Engine, Reject, Scratch, Times, UnixTime};

use crate::policy::PolicyArguments;
use crate::{Failure, Outcome, in_words, keys, log, time_values};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    keys: keys::KeyArguments,
    /// Let the secret verify with this algorithm only; without, with each that it is long enough for.
    #[arg(long, value_parser = keys::algorithm(), conflicts_with = "jwks")]
    alg: Vec<Algorithm>,
    #[command(flatten)]
    policy: PolicyArguments,
    /// The revocation log: the path of a file, or the URL of a Redis server. It must be there: a path that is wrong by a slip would
    /// refuse nobody.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, conflicts_with = "signature_only")]
    log: Option<String>,
    /// Check the signature alone, of any payload, and print the payload as base64. Claims are not looked at.
    #[arg(long, conflicts_with_all = ["PolicyArguments", "at"])]
    signature_only: bool,
    /// The time to verify at, in RFC 3339 or Unix seconds; without, now.
    #[arg(long, value_name = "TIME", value_parser = time_values::time)]
    at: Option<UnixTime>,
    /// Print only what is rejected, with its line, and a summary on standard error.
    #[arg(long)]
    quiet: bool,
    /// Files with a token on each line; - or none for standard input.
    #[arg(value_hint = ValueHint::FilePath)]
    files: Vec<String>,
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let algorithms = if arguments.alg.is_empty() { Algorithm::ALL } else { &arguments.alg };
    let keys = arguments.keys.key_set(algorithms)?;
    let engine = match &arguments.log {
        Some(path) => log::open(keys, arguments.policy.policy(), log::at(path))?,
        None => Engine::new(keys, arguments.policy.policy()).map_err(|error| Failure::Usage(error.to_string()))?,
    };
    let judge = Judge {
        token_bytes_max: engine.policy().longest_token_bytes(),
        engine,
        at: arguments.at,
        signature_only: arguments.signature_only,
        quiet: arguments.quiet,
    };
    let sources = match arguments.files.as_slice() {
        [] => vec!["-".to_owned()],
        files => files.to_vec(),
    };
    refuse_tokens(&sources)?;
    let totals = pipeline(&judge, &sources)?;

    // Without a log a token that was logged out is accepted, which the verdicts alone do not show.
    let unasked = match (&arguments.log, arguments.signature_only) {
        (None, false) => "; no --log was given, so nobody asked who logged out",
        _ => "",
    };
    if arguments.quiet || !unasked.is_empty() {
        eprintln!("{} accepted, {} rejected{unasked}", totals.accepted, totals.rejected);
    }
    match totals {
        // An empty variable piped in must not look like an accepted token.
        Totals { accepted: 0, rejected: 0 } => {
            Err(Failure::Usage("no token was given, so none was accepted".to_owned()))
        }
        Totals { rejected: 0, .. } => Ok(Outcome::Good),
        Totals { .. } => Ok(Outcome::SomeRejected),
    }
}

/// Files are named here, and tokens piped in: a token would be looked for as a file, and be shown as its name.
fn refuse_tokens(sources: &[String]) -> Result<(), Failure> {
    let is_token = |text: &&String| signoff::UnverifiedToken::parse(text.as_bytes(), usize::MAX).is_ok();
    match sources.iter().find(is_token).filter(|text| !std::fs::exists(text).unwrap_or(false)) {
        Some(_) => Err(Failure::Usage(
            "a file with a token on each line goes here, and this is a token itself: pipe it in, as in \
             `printf '%s' \"$TOKEN\" | signoff verify ...`"
                .to_owned(),
        )),
        None => Ok(()),
    }
}

/// Lines of one source, as they are dealt to a worker.
struct Batch {
    source: usize,
    first_line: u64,
    bytes: Vec<u8>,
    lines: Vec<Line>,
}

/// Where a line stands in its batch, without its line ending.
enum Line {
    Whole {
        start: usize,
        end: usize,
    },
    /// Over the limit, so that its bytes were not kept.
    TooLong {
        bytes: usize,
    },
}

#[derive(Clone, Copy, Default)]
struct Totals {
    accepted: u64,
    rejected: u64,
}

struct Verdicts {
    text: Vec<u8>,
    totals: Totals,
    input_bytes: u64,
}

fn pipeline(judge: &Judge, sources: &[String]) -> Result<Totals, Failure> {
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let bar = progress_bar(sources);
    std::thread::scope(|scope| {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            let (input, batches) = sync_channel(2);
            let (verdicts, output) = sync_channel(2);
            scope.spawn(move || judge.work(&batches, &verdicts, sources));
            inputs.push(input);
            outputs.push(output);
        }
        let bar = &bar;
        let writer = scope.spawn(move || write(&outputs, bar));
        let read = read(judge, sources, &inputs);
        drop(inputs);
        let written =
            writer.join().map_err(|_| Failure::Environment("the writer stopped; please report it".to_owned()))?;
        bar.finish_and_clear();
        // A closed output is why reading stopped, so it goes first.
        let totals = written?;
        read.map(|()| totals)
    })
}

fn progress_bar(sources: &[String]) -> ProgressBar {
    if !std::io::stderr().is_terminal() || (sources == ["-"] && std::io::stdin().is_terminal()) {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let len: Option<u64> = sources.iter().map(|path| Some(std::fs::metadata(path).ok()?.len())).sum();
    let bar = ProgressBar::with_draw_target(len, ProgressDrawTarget::stderr());
    let template = match len {
        Some(_) => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
        None => "{spinner} {bytes} {bytes_per_sec}",
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Deals the sources' lines to the workers in turn. Stops early when they have gone.
fn read(judge: &Judge, sources: &[String], inputs: &[SyncSender<Batch>]) -> Result<(), Failure> {
    let mut turn = inputs.iter().cycle();
    for (source, path) in sources.iter().enumerate() {
        let input: Box<dyn Read> = match path.as_str() {
            "-" => Box::new(std::io::stdin().lock()),
            path => Box::new(File::open(path).map_err(|error| Failure::of_file(path, &error))?),
        };
        let mut lines = Lines { input, rest: Vec::new(), dropped: 0, line: 1, max: judge.token_bytes_max };
        while let Some(batch) = lines.next_batch(source).map_err(|error| Failure::of_file(path, &error))? {
            if turn.next().is_none_or(|input| input.send(batch).is_err()) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Cuts an input into batches of whole lines, a batch for each read, so that lines from a pipe are
/// answered as they come.
struct Lines {
    input: Box<dyn Read>,
    /// The start of a line whose end has not been read.
    rest: Vec<u8>,
    /// How many bytes of that line were over the limit and not kept.
    dropped: usize,
    line: u64,
    max: usize,
}

const READ_BYTES: usize = 256 * 1024;

impl Lines {
    fn next_batch(&mut self, source: usize) -> std::io::Result<Option<Batch>> {
        loop {
            let mut bytes = std::mem::take(&mut self.rest);
            let kept = bytes.len();
            bytes.resize(kept + READ_BYTES, 0);
            let count = match self.input.read(&mut bytes[kept..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(error),
                Ok(0) => {
                    bytes.truncate(kept);
                    return Ok(self.last_line(source, bytes));
                }
                Ok(count) => count,
            };
            bytes.truncate(kept + count);
            if let Some(batch) = self.cut(source, bytes) {
                return Ok(Some(batch));
            }
        }
    }

    fn cut(&mut self, source: usize, bytes: Vec<u8>) -> Option<Batch> {
        let mut lines = Vec::new();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &bytes) {
            lines.push(self.line_of(&bytes, start, end));
            self.dropped = 0;
            start = end + 1;
        }
        // A token that is over the limit is rejected by its length alone: one byte more than the limit,
        // and one that could belong to the line ending, are enough of it.
        let keep = (bytes.len() - start).min(self.max + 2);
        self.dropped += bytes.len() - start - keep;
        self.rest = bytes[start..start + keep].to_vec();
        (!lines.is_empty()).then(|| self.batch(source, bytes, lines))
    }

    fn last_line(&mut self, source: usize, bytes: Vec<u8>) -> Option<Batch> {
        let lines = vec![self.line_of(&bytes, 0, bytes.len())];
        (!bytes.is_empty()).then(|| self.batch(source, bytes, lines))
    }

    fn line_of(&self, bytes: &[u8], start: usize, end: usize) -> Line {
        let ended = bytes.get(end) == Some(&b'\n');
        let end = if ended && bytes[start..end].ends_with(b"\r") { end - 1 } else { end };
        match end - start + self.dropped {
            bytes if bytes > self.max => Line::TooLong { bytes },
            _ => Line::Whole { start, end },
        }
    }

    fn batch(&mut self, source: usize, bytes: Vec<u8>, lines: Vec<Line>) -> Batch {
        let first_line = self.line;
        self.line += lines.len() as u64;
        Batch { source, first_line, bytes, lines }
    }
}

/// What every line is asked.
struct Judge {
    engine: Engine,
    token_bytes_max: usize,
    at: Option<UnixTime>,
    signature_only: bool,
    quiet: bool,
}

impl Judge {
    fn work(&self, batches: &Receiver<Batch>, verdicts: &SyncSender<Verdicts>, sources: &[String]) {
        let mut scratch = Scratch::new();
        for batch in batches {
            let mut out =
                Verdicts { text: Vec::new(), totals: Totals::default(), input_bytes: batch.bytes.len() as u64 };
            for (line, number) in batch.lines.iter().zip(batch.first_line..) {
                let place = self.quiet.then(|| Place { source: &sources[batch.source], line: number });
                match line {
                    Line::Whole { start, end } => {
                        self.answer(&mut scratch, &batch.bytes[*start..*end], place, &mut out);
                    }
                    Line::TooLong { bytes } => {
                        let reject = Reject::TokenTooLong { bytes: *bytes, max: self.token_bytes_max };
                        self.deny(&reject.into(), place, &mut out);
                    }
                }
            }
            if verdicts.send(out).is_err() {
                return;
            }
        }
    }

    fn answer(&self, scratch: &mut Scratch, token: &[u8], place: Option<Place<'_>>, out: &mut Verdicts) {
        if self.signature_only {
            match self.engine.authenticate(token) {
                Ok(authentic) => self.accept(out, |text| {
                    text.extend_from_slice(br#"{"ok":true,"signature_only":true,"payload":""#);
                    text.extend_from_slice(STANDARD.encode(authentic.payload()).as_bytes());
                    text.extend_from_slice(b"\"}\n");
                }),
                Err(denied) => self.deny(&denied, place, out),
            }
            return;
        }
        let verdict = match self.at {
            Some(at) => self.engine.verify_at(scratch, token, Times::at(at)),
            None => self.engine.verify(scratch, token),
        };
        match verdict {
            Ok(accepted) => self.accept(out, |text| {
                text.extend_from_slice(br#"{"ok":true,"claims":"#);
                // Inside strings JSON has no line endings, so those that there are mean nothing.
                text.extend(accepted.payload().trim().bytes().map(|byte| match byte {
                    b'\n' | b'\r' => b' ',
                    byte => byte,
                }));
                text.extend_from_slice(b"}\n");
            }),
            Err(denied) => self.deny(&denied, place, out),
        }
    }

    fn accept(&self, out: &mut Verdicts, print: impl FnOnce(&mut Vec<u8>)) {
        out.totals.accepted += 1;
        if !self.quiet {
            print(&mut out.text);
        }
    }

    fn deny(&self, denied: &Denied, place: Option<Place<'_>>, out: &mut Verdicts) {
        out.totals.rejected += 1;
        let status = denied.status();
        let mut line = String::from(r#"{"ok":false,"#);
        if self.signature_only {
            line += r#""signature_only":true,"#;
        }
        let message = serde_json::Value::from(in_words(denied));
        line += &format!(r#""code":"{}","number":{},"message":{message}"#, status.name(), status.number());
        if let Some(Place { source, line: number }) = place {
            line += &format!(r#","file":{},"line":{number}"#, serde_json::Value::from(source));
        }
        line += "}\n";
        out.text.extend_from_slice(line.as_bytes());
    }
}

/// Where a line came from, for those that are printed without their neighbours.
#[derive(Clone, Copy)]
struct Place<'a> {
    source: &'a str,
    line: u64,
}

/// Prints the workers' verdicts in the turn in which their batches were dealt.
fn write(outputs: &[Receiver<Verdicts>], bar: &ProgressBar) -> Result<Totals, Failure> {
    let mut totals = Totals::default();
    let mut stdout = std::io::stdout().lock();
    // The first worker that has nothing more to say was dealt nothing more, and so were those after it.
    for verdicts in outputs.iter().cycle().map_while(|output| output.recv().ok()) {
        let mut print = || stdout.write_all(&verdicts.text).and_then(|()| stdout.flush());
        print().map_err(|error| Failure::of_output(&error))?;
        totals.accepted += verdicts.totals.accepted;
        totals.rejected += verdicts.totals.rejected;
        bar.inc(verdicts.input_bytes);
    }
    Ok(totals)
}
