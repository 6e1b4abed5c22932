//! `signoff sign`.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use signoff::{Algorithm, Engine, NewToken, NumericIds, Policy, Times, UnixTime};

use crate::{Failure, Outcome, keys, say, time_values};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    keys: keys::KeyArguments,
    /// The algorithm that the secret signs with.
    #[arg(long, default_value = "HS256", value_parser = keys::algorithm(), conflicts_with = "jwks")]
    alg: Algorithm,
    /// How long the token lives, as in 1d, 12h or 15min.
    #[arg(long, value_name = "DURATION", value_parser = time_values::some_duration, conflicts_with = "insecure_never_expires")]
    expires_in: Option<Duration>,
    /// Sign a token that never ends.
    #[arg(long)]
    insecure_never_expires: bool,
    /// Sign with the key of this id; without, with the first of the set.
    #[arg(long, value_name = "KID")]
    key_id: Option<String>,
    /// The header's token type.
    #[arg(long, value_name = "TYP", default_value = "JWT")]
    typ: String,
    /// Take whole numbers as sub, jti and sid; `verify` then wants the same.
    #[arg(long)]
    numeric_ids: bool,
    /// The time of signing in RFC 3339 or Unix seconds; without, now.
    #[arg(long, value_name = "TIME", value_parser = time_values::time)]
    at: Option<UnixTime>,
    /// The claims: the text of a JSON object, or - to read it from standard input.
    claims: String,
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let keys = arguments.keys.key_set(&[arguments.alg])?;
    // Whom it is for, and whether it is bound to a key, is for who verifies it to say; the rest is as `verify` wants it by default.
    let mut policy =
        Policy::new().insecure_any_audience().insecure_bearer_of_bound_token().insecure_allow_missing_exp();
    policy = policy.token_type(&arguments.typ);
    if arguments.numeric_ids {
        policy = policy.numeric_ids(NumericIds::AsText);
    }
    let engine = Engine::new(keys, policy).map_err(|e| usage(&e))?;

    let mut new = NewToken::from_json(claims(arguments.claims)?).token_type(arguments.typ);
    if let Some(lifetime) = arguments.expires_in {
        new = new.expires_in(lifetime);
    }
    if arguments.insecure_never_expires {
        new = new.insecure_never_expires();
    }
    if let Some(key_id) = arguments.key_id {
        new = new.key_id(key_id);
    }
    let times = arguments.at.map_or_else(Times::now, Times::at);
    let signed = engine.sign_at(new, times).map_err(|e| usage(&e))?;
    if let Some(exp) = signed.expires_at().filter(|exp| *exp <= times.wall()) {
        return Err(Failure::Usage(format!(
            "the token would have expired {} already: give a later exp, or the time of signing by --at",
            time_values::relative(exp, times.wall())
        )));
    }
    say(format_args!("{}", signed.token()))?;
    Ok(Outcome::Good)
}

fn claims(argument: String) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| Failure::of_file("standard input", &error))?;
    Ok(text)
}

fn usage(error: &signoff::Error) -> Failure {
    Failure::Usage(error.to_string())
}
