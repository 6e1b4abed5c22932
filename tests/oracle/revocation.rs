//! The obvious engine's revocations: every record in a list that is never shortened, and every rule
//! written down once. Reduction, collection, merging, filters and freshness do not exist here.

/// A verified token, as far as revocation looks at it. Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub jti: Option<String>,
    pub sid: Option<&'static str>,
    pub sub: Option<&'static str>,
    pub iss: Option<&'static str>,
    pub iat: Option<i64>,
    pub exp: i64,
    /// The latest cut-off that its signer says it knew.
    pub known_cut_off: Option<i64>,
    /// What names it when it has no `jti`.
    pub text: String,
}

#[derive(Clone, Debug)]
pub enum Meant {
    Jti(String),
    /// `sha256:` and the digits of the hash of what was signed.
    Hash(String),
    Session(String),
    Subject(String),
    Everything,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub meant: Meant,
    /// None: any issuer. Some(None): tokens without one.
    pub issuer: Option<Option<String>>,
    pub cut_off: Option<i64>,
    pub keep: Vec<String>,
}

/// What an engine on a log goes by.
#[derive(Clone, Copy, Default)]
pub struct Bounds {
    pub watermark: Option<i64>,
    pub longest_lifetime: Option<i64>,
    /// How far ahead of the clock an `iat` may lie.
    pub issued_in_future_max: i64,
}

/// The status of a token by the rules that an engine knows.
pub fn verdict<'r>(
    rules: impl Iterator<Item = &'r Rule> + Clone,
    bounds: Bounds,
    token: &Token,
    now: i64,
    leeway: i64,
) -> &'static str {
    if now >= token.exp + leeway {
        return "claim-expired";
    }
    if token.iat.is_some_and(|iat| iat > now + bounds.issued_in_future_max) {
        return "claim-issued-in-future";
    }
    if bounds.watermark.is_some_and(|watermark| token.exp + 600_000 <= watermark) {
        return "claim-expired";
    }
    match (bounds.longest_lifetime, token.iat) {
        (Some(_), None) => return "claim-missing",
        (Some(longest), Some(iat)) if token.exp > iat + longest => return "claim-lifetime",
        _ => {}
    }
    if rules.clone().any(|rule| rule.cut_off.is_none() && rule.means(token)) {
        return "token-revoked";
    }
    let meaning = rules.filter(|rule| rule.cut_off.is_some() && rule.means(token));
    for everything in [false, true] {
        let of_scope = meaning.clone().filter(|rule| matches!(rule.meant, Meant::Everything) == everything);
        // Those of any issuer, and those of the token's, are judged each by itself.
        let mut groups =
            [true, false].into_iter().map(|any| of_scope.clone().filter(move |rule| rule.issuer.is_none() == any));
        if groups.any(|group| is_cut_off(group, token)) {
            let latest = meaning.clone().filter_map(|rule| rule.cut_off).max().unwrap();
            return too_soon(latest, token, now);
        }
    }
    "done"
}

/// A token is spared if one of its ids stands in every list that reaches it.
fn is_cut_off<'r>(rules: impl Iterator<Item = &'r Rule> + Clone, token: &Token) -> bool {
    let reaching = rules.filter(|rule| rule.reaches(token));
    let ids = [token.jti.as_deref(), token.sid].into_iter().flatten();
    let spares = |id: &str| reaching.clone().all(|rule| rule.keep.iter().any(|kept| kept == id));
    reaching.clone().next().is_some() && !ids.into_iter().any(spares)
}

/// Whether a new token of the same time as this one would be refused, though it may have been issued after the log-out.
fn too_soon(latest: i64, token: &Token, now: i64) -> &'static str {
    let good_from = (latest.div_euclid(1000) + 1) * 1000;
    match token.iat {
        Some(iat) if now < good_from && iat + 121_000 > latest => "token-too-soon",
        _ => "token-revoked",
    }
}

impl Rule {
    /// Whether it is about this token, whenever that was issued and whoever is spared.
    pub fn means(&self, token: &Token) -> bool {
        let value = match &self.meant {
            Meant::Jti(jti) => token.jti.as_ref() == Some(jti),
            Meant::Hash(hash) => token.jti.is_none() && hash_of(&token.text) == *hash,
            Meant::Session(sid) => token.sid == Some(sid),
            Meant::Subject(sub) => token.sub == Some(sub),
            Meant::Everything => true,
        };
        value && self.issuer.as_ref().is_none_or(|issuer| issuer.as_deref() == token.iss)
    }

    pub fn keeps(&self, token: &Token) -> bool {
        let kept = |id: Option<&str>| id.is_some_and(|id| self.keep.iter().any(|kept| kept == id));
        kept(token.jti.as_deref()) || kept(token.sid)
    }

    /// Whether its cut-off reaches a token: not one that was issued behind it, or whose signer knew it.
    fn reaches(&self, token: &Token) -> bool {
        let Some(cut_off) = self.cut_off else { return true };
        // What lies two minutes and a second behind the token is not believed.
        let known = token.known_cut_off.filter(|known| token.iat.is_some_and(|iat| *known <= iat + 121_000));
        before(token.iat, cut_off) && known.is_none_or(|known| known < cut_off)
    }
}

/// The name of a token without `jti`.
fn hash_of(token: &str) -> String {
    let signed = token.rsplit_once('.').unwrap().0;
    let hash = ring::digest::digest(&ring::digest::SHA256, signed.as_bytes());
    let digits = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256:{digits}")
}

/// The same second: a fraction is exact, a whole second counts for all of it, no time is before any.
fn before(iat: Option<i64>, cut_off: i64) -> bool {
    match iat {
        None => true,
        Some(iat) if iat % 1000 == 0 => iat / 1000 <= cut_off.div_euclid(1000),
        Some(iat) => iat <= cut_off,
    }
}
