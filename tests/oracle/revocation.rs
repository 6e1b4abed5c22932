//! The obvious engine's revocations: every record in a list that is never shortened, and every rule
//! written down once. Collection, merging, filters and freshness do not exist here.

/// A verified token, as far as revocation looks at it. Times in milliseconds.
#[derive(Clone, Debug)]
pub struct Token {
    pub jti: Option<String>,
    pub sid: Option<&'static str>,
    pub sub: Option<&'static str>,
    pub iss: Option<&'static str>,
    pub iat: Option<i64>,
    pub exp: i64,
    /// What names it when it has no `jti`.
    pub text: String,
}

#[derive(Clone, Debug)]
pub enum Meant {
    Jti(String),
    Text(String),
    Session(&'static str),
    Subject(&'static str),
    Everything,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub meant: Meant,
    /// None: any issuer. Some(None): tokens without one.
    pub issuer: Option<Option<&'static str>>,
    pub cut_off: Option<i64>,
    pub keep: Vec<String>,
}

#[derive(Default)]
pub struct Revocations {
    pub rules: Vec<Rule>,
    pub watermark: Option<i64>,
    pub longest_lifetime: Option<i64>,
}

impl Revocations {
    pub fn verdict(&self, token: &Token, now: i64, leeway: i64) -> &'static str {
        if now >= token.exp + leeway {
            return "claim-expired";
        }
        if token.iat.is_some_and(|iat| iat > now + 60_000) {
            return "claim-issued-in-future";
        }
        if self.watermark.is_some_and(|watermark| token.exp + 600_000 <= watermark) {
            return "claim-expired";
        }
        match (self.longest_lifetime, token.iat) {
            (Some(_), None) => return "claim-missing",
            (Some(longest), Some(iat)) if token.exp > iat + longest => return "claim-lifetime",
            _ => {}
        }
        match self.rules.iter().any(|rule| rule.means(token)) {
            true => "token-revoked",
            false => "done",
        }
    }
}

impl Rule {
    fn means(&self, token: &Token) -> bool {
        let value = match &self.meant {
            Meant::Jti(jti) => token.jti.as_ref() == Some(jti),
            Meant::Text(text) => token.jti.is_none() && token.text == *text,
            Meant::Session(sid) => token.sid == Some(sid),
            Meant::Subject(sub) => token.sub == Some(sub),
            Meant::Everything => true,
        };
        let issuer = self.issuer.is_none_or(|issuer| issuer == token.iss);
        let kept = |id: Option<&str>| id.is_some_and(|id| self.keep.iter().any(|kept| kept == id));
        let spared = kept(token.jti.as_deref()) || kept(token.sid);
        value && issuer && !spared && self.cut_off.is_none_or(|cut_off| before(token.iat, cut_off))
    }
}

/// The same second: a fraction is exact, a whole second counts for all of it, no time is before any.
fn before(iat: Option<i64>, cut_off: i64) -> bool {
    match iat {
        None => true,
        Some(iat) if iat % 1000 == 0 => iat / 1000 <= cut_off.div_euclid(1000),
        Some(iat) => iat <= cut_off,
    }
}
