//! The obvious engine: verification written down as plainly as possible, with other crates than the
//! real one uses, and with no thought of speed. Everything clever is compared with it.

pub mod revocation;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

pub struct Oracle {
    /// Algorithm, key id and secret.
    pub keys: Vec<(&'static str, Option<&'static str>, Vec<u8>)>,
    pub issuer: Option<&'static str>,
    pub audience: Option<&'static str>,
    pub leeway_ms: i64,
    pub exp_required: bool,
    pub numeric_ids: bool,
}

/// The members of a JSON object, duplicates and spelling of the values kept.
pub struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl Members {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Value>(bytes).ok()?;
        within_limits(std::str::from_utf8(bytes).ok()?).then(|| serde_json::from_slice(bytes).ok())?
    }

    fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(n, _)| n == name).count()
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.get())
    }

    fn value(&self, name: &str) -> Option<Value> {
        self.raw(name).and_then(|raw| serde_json::from_str(raw).ok())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.as_str().map(str::to_owned)
    }
}

/// Nesting to 32, and no number that is written as 10^300 or more.
fn within_limits(json: &str) -> bool {
    let mut depth = 0;
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    if c == '\\' {
                        chars.next();
                    }
                }
            }
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            '-' | '0'..='9' => {
                let mut number = c.to_string();
                while let Some(c) = chars.next_if(|c| "0123456789+-.eE".contains(*c)) {
                    number.push(c);
                }
                let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((&number, "0"));
                let whole = mantissa.trim_start_matches('-').split('.').next().unwrap().len() as f64;
                if whole + exponent.parse::<f64>().unwrap() > 300.0 {
                    return false;
                }
            }
            _ => {}
        }
        if depth > 32 {
            return false;
        }
    }
    true
}

/// Escapes anywhere; and arrays, objects, commas and names within the outermost object's values.
fn effort(json: &str) -> usize {
    let (mut depth, mut effort) = (0, 0);
    let mut chars = json.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    if c == '\\' {
                        chars.next();
                        effort += 1;
                    }
                }
            }
            '[' | '{' => {
                effort += usize::from(depth >= 1);
                depth += 1;
            }
            ']' | '}' => depth -= 1,
            ',' | ':' if depth >= 2 => effort += 1,
            _ => {}
        }
    }
    effort
}

/// A NumericDate in milliseconds: `Err(true)` past the year 9999, `Err(false)` for what is no time.
fn millis(raw: &str) -> Result<i64, bool> {
    let secs: f64 = raw.parse().map_err(|_| false)?;
    if secs < 0.0 {
        return Err(false);
    }
    let exact = match raw.contains(['e', 'E', '-']) {
        true => (secs * 1000.0).round(),
        false => {
            let (whole, fraction) = raw.split_once('.').unwrap_or((raw, ""));
            format!("{whole}{fraction:0<3.3}").parse().map_err(|_| true)?
        }
    };
    if exact > 253_402_300_799_000.0 { Err(true) } else { Ok(exact as i64) }
}

impl Oracle {
    /// The name of the status that this token gets at this time.
    pub fn verdict(&self, token: &[u8], now: i64) -> &'static str {
        match self.judge(token, now) {
            Ok(()) => "done",
            Err(status) => status,
        }
    }

    fn judge(&self, token: &[u8], now: i64) -> Result<(), &'static str> {
        let parts = self.shape(token)?;
        if parts[0].iter().filter(|byte| !byte.is_ascii()).count() > 256 {
            return Err("header-json");
        }
        let header = Members::read(&parts[0]).ok_or("header-json")?;
        if header.0.len() > 32 || effort(std::str::from_utf8(&parts[0]).unwrap()) > 20 + parts[0].len() / 64 {
            return Err("header-json");
        }
        if ["alg", "kid", "typ", "crit", "b64"].iter().any(|name| header.count(name) > 1) {
            return Err("header-duplicate");
        }
        if header.count("crit") + header.count("b64") > 0 {
            return Err("header-critical");
        }
        let alg = header.text("alg").ok_or("header-malformed")?;
        for name in ["kid", "typ"] {
            if header.count(name) > 0 && header.text(name).is_none_or(|text| name == "kid" && text.len() > 256) {
                return Err("header-malformed");
            }
        }
        let (hash, len) = match alg.as_str() {
            "HS256" => (ring::hmac::HMAC_SHA256, 32),
            "HS384" => (ring::hmac::HMAC_SHA384, 48),
            "HS512" => (ring::hmac::HMAC_SHA512, 64),
            _ => return Err("header-algorithm"),
        };
        if parts[2].is_empty() {
            return Err("signature-missing");
        }
        let of_alg = || self.keys.iter().filter(|key| key.0 == alg);
        let kid = header.text("kid");
        let named: Vec<_> = of_alg().filter(|key| kid.is_some() && key.1 == kid.as_deref()).collect();
        let others: Vec<_> = of_alg().filter(|key| kid.is_none() || key.1.is_none()).take(8).collect();
        let candidates = if named.is_empty() { others } else { named };
        if candidates.is_empty() {
            return Err("key-not-found");
        }
        if parts[2].len() != len {
            return Err("signature-length");
        }
        let signed = &token[..token.iter().rposition(|byte| *byte == b'.').unwrap()];
        if !candidates
            .iter()
            .any(|key| ring::hmac::verify(&ring::hmac::Key::new(hash, &key.2), signed, &parts[2]).is_ok())
        {
            return Err("signature-invalid");
        }
        if header.0.iter().any(|(name, _)| header.count(name) > 1) {
            return Err("header-duplicate");
        }
        self.claims(&parts[1], header.text("typ"), now)
    }

    fn shape(&self, token: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
        if token.len() > 16 * 1024 {
            return Err("token-too-long");
        }
        let parts: Vec<_> = token.split(|byte| *byte == b'.').collect();
        if parts.len() != 3 {
            return Err("token-parts");
        }
        if parts.iter().any(|part| part.iter().any(|b| !(b.is_ascii_alphanumeric() || b"-_".contains(b)))) {
            return Err("token-character");
        }
        parts.iter().map(|part| URL_SAFE_NO_PAD.decode(part).map_err(|_| "token-base64")).collect()
    }

    fn claims(&self, payload: &[u8], typ: Option<String>, now: i64) -> Result<(), &'static str> {
        let claims = Members::read(payload).ok_or("claims-json")?;
        let names = ["exp", "nbf", "iat", "iss", "sub", "aud", "jti", "sid", "cnf"];
        if names.iter().any(|name| claims.count(name) > 1) {
            return Err("claim-duplicate");
        }
        let mut times = [None; 3];
        for (name, time) in names.iter().zip(&mut times) {
            *time = match claims.raw(name).map(millis) {
                None => None,
                Some(Ok(millis)) => Some(millis),
                Some(Err(true)) => return Err("claim-time-range"),
                Some(Err(false)) => return Err("claim-malformed"),
            };
        }
        for name in &names[3..8] {
            // What a double holds exactly.
            let is_exact = |raw: &str| raw.parse().is_ok_and(|number: u64| number < 1 << 53);
            let digits = |raw: &str| raw.bytes().all(|byte| byte.is_ascii_digit());
            let whole = claims.raw(name).is_some_and(|raw| digits(raw) && is_exact(raw));
            let fits = match claims.value(name) {
                None | Some(Value::String(_)) => true,
                Some(Value::Number(_)) => whole && self.numeric_ids && ["sub", "jti", "sid"].contains(name),
                Some(Value::Array(all)) => *name == "aud" && all.iter().all(Value::is_string),
                Some(_) => false,
            };
            if !fits {
                return Err("claim-malformed");
            }
        }
        if claims.value("cnf").is_some_and(|cnf| !cnf.is_object()) {
            return Err("claim-malformed");
        }
        let [exp, nbf, iat] = times;
        match exp {
            Some(exp) if now >= exp + self.leeway_ms => return Err("claim-expired"),
            None if self.exp_required => return Err("claim-missing"),
            _ => {}
        }
        if nbf.is_some_and(|nbf| now < nbf - self.leeway_ms) {
            return Err("claim-not-yet-valid");
        }
        if iat.is_some_and(|iat| iat > now + 60_000) {
            return Err("claim-issued-in-future");
        }
        if let Some(ours) = self.issuer {
            match claims.text("iss") {
                None => return Err("claim-missing"),
                Some(issuer) if issuer != ours => return Err("claim-issuer"),
                Some(_) => {}
            }
        }
        if let Some(ours) = self.audience {
            match claims.value("aud") {
                None => return Err("claim-missing"),
                Some(Value::String(one)) if one == ours => {}
                Some(Value::Array(all)) if all.iter().any(|one| one == ours) => {}
                Some(_) => return Err("claim-audience"),
            }
        } else if claims.count("aud") > 0 {
            return Err("claim-audience");
        }
        let typ = typ.unwrap_or_default().to_ascii_lowercase();
        let typ = typ.split(';').next().unwrap_or_default().trim_ascii();
        let typ = typ.strip_prefix("application/").unwrap_or(typ);
        if (typ.ends_with("+jwt") || typ.ends_with("+sd-jwt")) && typ != "at+jwt" {
            return Err("claim-type-reserved");
        }
        match claims.value("cnf") {
            None => Ok(()),
            Some(_) => Err("claim-bound"),
        }
    }
}
