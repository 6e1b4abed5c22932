//! Logging out: from what a caller asks for to a record in the log.

use std::sync::Arc;

use super::replica::{Now, Replica, Request, Revoking};
use super::verify::authenticate;
use super::{Accepted, Engine, Scratch, VouchedToken, with_thread_scratch};
use crate::clock::{Clock, Times, UnixTime};
use crate::denied::Unknown;
use crate::error::{Error, RevokeError};
use crate::index::{NotRevoked, Screened};
use crate::keys::crypto;
use crate::limits::{CUT_OFF_IN_FUTURE_MAX, KEEP_AFTER_EXPIRY, KEEP_MAX, KEPT_BYTES_MAX, REVOCATION_TEXT_BYTES_MAX};
use crate::log::{LogError, Moment, Placed};
use crate::policy::ClaimStrings;
use crate::policy::claims::Claims;
use crate::revocation::{Asked, Issuer, Kept, Record, Revocation, Revoked, Scope, Target, TokenId};
use crate::token::UnverifiedToken;
use crate::token::header::Header;

/// What the log says about a token.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationStatus {
    /// No revocation means it.
    NotRevoked(NotRevoked),
    /// A revocation means it.
    #[non_exhaustive]
    Revoked {
        /// By what the revocation is matched.
        scope: Scope,
    },
    /// None that is known means it, but not all may be known.
    Unknown(Unknown),
    /// It has expired, so that what was recorded of it may have been deleted since.
    #[non_exhaustive]
    Expired {
        /// Its `exp`.
        exp: UnixTime,
        /// The time that it was held against: what the clock reads, or a later one that the log has.
        now: UnixTime,
    },
}

/// The ids of a token that was accepted: its `jti` and its `sid`.
impl From<&Accepted<'_>> for Kept {
    fn from(accepted: &Accepted<'_>) -> Self {
        Self::of_token(accepted.jti(), accepted.session())
    }
}

impl Revocation {
    /// One token that was accepted: log out of this token. Names the token's issuer and its `exp`.
    ///
    /// Other tokens of the same login (a refresh token) live on; see [`session`](Self::session).
    pub fn token(accepted: &Accepted<'_>) -> Self {
        let target = Target::Token(accepted.token_id().into_owned());
        let mut revocation = Self::of(Asked::Target(target), Issuer::of(accepted.issuer()));
        revocation.expires_at = accepted.expires_at();
        revocation
    }

    /// One token that was verified elsewhere: as [`token_text`](Self::token_text), but for the signature, for which
    /// the caller has given its word.
    pub fn vouched_token(token: VouchedToken<'_>) -> Self {
        // What is not UTF-8 is no token, and is refused as one when it is read.
        Self::of(Asked::VouchedText(String::from_utf8_lossy(token.bytes()).into_owned()), Issuer::Any)
    }
}

impl Engine {
    /// Logs tokens out. When this returns, the revocation outlives a crash, and binds every verification of
    /// this process that starts afterwards; other processes on the log follow within 20 ms.
    ///
    /// Works while the log is stale. There is no undo. Cost: one commit to the log, shared with whoever
    /// revokes at the same time.
    ///
    /// # Errors
    /// [`Error::Revoke`]: no log, an option that does not fit, a token that is not ours; or
    /// [`RevokeError::NotDurable`] and [`RevokeError::Indeterminate`], within a bounded time, when the log
    /// could not be written: it then binds in this process alone, and can be asked for again.
    pub fn revoke(&self, revocation: Revocation) -> Result<Revoked, Error> {
        self.revoke_at(revocation, self.now_rounded_up())
    }

    /// [`revoke`](Self::revoke) at the times that the caller gives.
    ///
    /// # Errors
    /// Those of [`revoke`](Self::revoke).
    pub fn revoke_at(&self, revocation: Revocation, times: Times) -> Result<Revoked, Error> {
        let replica = self.log()?;
        let request = self.request(replica, revocation, times)?;
        Ok(replica.append(request)?)
    }

    /// [`revoke`](Self::revoke) as a future, which the log's writer completes. It needs no runtime, and the
    /// revocation is under way before it is polled. Neither this call nor polling waits for the disk, whatever the token.
    ///
    /// With [`Threads::None`](crate::Threads::None) the revocation binds in this process at once, and the next
    /// [`refresh`](Self::refresh) writes and completes it, or the next [`revoke`](Self::revoke) or [`Revoking::wait`]. What is
    /// not written when the process ends is lost; the end of the last engine on the log writes it.
    pub fn revoke_async(&self, revocation: Revocation) -> Revoking {
        self.revoke_async_at(revocation, self.now_rounded_up())
    }

    /// [`revoke_async`](Self::revoke_async) at the times that the caller gives.
    pub fn revoke_async_at(&self, revocation: Revocation, times: Times) -> Revoking {
        let Some(served) = &self.shared.log else { return Revoking::done(Err(RevokeError::NoLog)) };
        match self.request(&served.replica, revocation, times) {
            Err(error) => Revoking::done(Err(error)),
            Ok(request) => served.replica.append_async(request),
        }
    }

    /// Whether a token that was accepted has been logged out since: for connections that stay open.
    ///
    /// # Errors
    /// [`RevokeError::NoLog`].
    pub fn is_revoked(&self, accepted: &Accepted<'_>) -> Result<RevocationStatus, Error> {
        self.is_revoked_by(accepted, self.clock())
    }

    /// [`is_revoked`](Self::is_revoked) at the times that the caller gives.
    ///
    /// # Errors
    /// Those of [`is_revoked`](Self::is_revoked).
    pub fn is_revoked_at(&self, accepted: &Accepted<'_>, times: Times) -> Result<RevocationStatus, Error> {
        self.is_revoked_by(accepted, Clock::Given(times))
    }

    fn is_revoked_by(&self, accepted: &Accepted<'_>, clock: Clock) -> Result<RevocationStatus, Error> {
        let replica = self.log()?;
        let hash = || crypto::sha256(accepted.signing_input());
        let look = replica.look(|| None);
        let now = clock.now([accepted.expires_at().map(|exp| exp.plus(self.policy().leeway)), None, None, None]);
        // What has expired may have been collected, so that its record is not asked for.
        if let Some(exp) = accepted.expires_at()
            && let Some(now) = replica.expired(&look, exp, Now { time: now, leeway: self.policy().leeway })
        {
            return Ok(RevocationStatus::Expired { exp, now });
        }
        let screened = replica.screen(&look, &accepted.traits(), hash);
        Ok(match (screened, replica.unknown(&look, clock)) {
            (Screened::Revoked(scope) | Screened::CutOff(scope), _) => RevocationStatus::Revoked { scope },
            (Screened::NotRevoked(_), Some(unknown)) => RevocationStatus::Unknown(unknown),
            (Screened::NotRevoked(proof), None) => RevocationStatus::NotRevoked(proof),
        })
    }

    /// The revocations in the log, in the order in which they were recorded.
    ///
    /// Cost: I/O, a thousand records at a time.
    ///
    /// # Errors
    /// [`RevokeError::NoLog`].
    pub fn revocations(&self) -> Result<RevocationsInLog, Error> {
        let served = self.shared.log.as_ref().ok_or(RevokeError::NoLog)?;
        let log = Arc::clone(&served.replica);
        Ok(RevocationsInLog { log, page: Vec::new().into_iter(), after: 0, ended: false })
    }

    /// Reads what is new in the log, appends what waits, merges, and collects when it is time: what the log's
    /// threads do otherwise. For hosts that want no threads.
    ///
    /// # Errors
    /// [`RevokeError::NoLog`]; [`Error::Log`] when the log can't be read, and then freshness does not advance.
    pub fn refresh(&self) -> Result<(), Error> {
        self.refresh_at(self.now())
    }

    /// [`refresh`](Self::refresh) at the times that the caller gives.
    ///
    /// # Errors
    /// Those of [`refresh`](Self::refresh).
    pub fn refresh_at(&self, times: Times) -> Result<(), Error> {
        self.log()?.refresh(times)?;
        Ok(())
    }

    pub(super) fn log(&self) -> Result<&Replica, RevokeError> {
        self.shared.log.as_ref().map(|log| &*log.replica).ok_or(RevokeError::NoLog)
    }

    /// What the log is asked for.
    fn request(&self, log: &Replica, revocation: Revocation, times: Times) -> Result<Request, RevokeError> {
        let now = times.wall();
        log.see_clock(now);
        let Revocation { asked, mut issuer, issued_before, keep, keep_until, mut expires_at, reason, is_issuer_empty } =
            revocation;
        if is_issuer_empty {
            return Err(RevokeError::Empty { what: "issuer" });
        }
        let mut by_token = |named: Named| {
            (issuer, expires_at) = (named.issuer, named.expires_at);
            named.target
        };
        let target = match asked {
            Asked::Target(target) => target,
            Asked::TokenText(text) => by_token(self.name_token(text.as_bytes())?),
            Asked::VouchedText(text) => by_token(self.name_vouched(text.as_bytes())?),
        };
        let scope = target.scope();
        let has_cut_off = matches!(scope, Scope::Subject | Scope::Everything);
        refuse_slips(&target, &issuer, &keep, reason.as_deref())?;
        for (option, is_given) in [("issued_before", issued_before.is_some()), ("keep", !keep.is_empty())] {
            if is_given && !has_cut_off {
                return Err(RevokeError::NoCutOff { option, scope });
            }
        }
        if let Some(cut_off) = issued_before
            && cut_off > now.plus(CUT_OFF_IN_FUTURE_MAX)
        {
            return Err(RevokeError::CutOffInFuture { cut_off, now, max: CUT_OFF_IN_FUTURE_MAX });
        }
        let moment = if has_cut_off && issued_before.is_none() { Moment::Now } else { Moment::Given };
        let issued_before = has_cut_off.then(|| issued_before.unwrap_or_else(|| log.cut_off_now(now)));
        let (keep_unset, recorded_at) = (None, now);
        let mut record = Record { target, issuer, issued_before, keep, keep_until: keep_unset, recorded_at, reason };
        if moment == Moment::Now {
            log.place_behind(&mut record);
        }
        // The end of the last token that is meant: as the token says, as the caller does, or by the log.
        let by_log = || {
            let moment = record.issued_before.unwrap_or(now);
            log.longest_lifetime().map(|lifetime| lifetime.end_of_issued_before(moment))
        };
        let end = match (expires_at, keep_until) {
            (Some(exp), Some(until)) => Some(exp.max(until)),
            (Some(exp), None) => Some(exp),
            // The caller knows when one token ends, also that it has; of tokens that it does not name, the log knows better.
            (None, Some(until)) if scope == Scope::Token && until >= FIRST_EXP => Some(until),
            (None, Some(until)) if until <= now => return Err(RevokeError::KeepUntilPast { until, now }),
            (None, Some(until)) => Some(by_log().map_or(until, |end| end.max(until))),
            (None, None) => by_log(),
        };
        record.keep_until = end.map(|end| end.plus(KEEP_AFTER_EXPIRY));
        if has_cut_off {
            log.lengthen(&mut record);
        }
        Ok(Request { record, moment, times })
    }

    /// Reads from a whole token what names it. Its times, issuer and audience are not judged: an expired or
    /// revoked token can be logged out too.
    fn name_token(&self, token: &[u8]) -> Result<Named, RevokeError> {
        let policy = self.policy();
        with_thread_scratch(|scratch| {
            let (snapshot, _) = scratch.recent.current(&self.shared.published, &self.shared.counters);
            let found = authenticate(snapshot, policy, &mut scratch.buffers, token, &mut ())?;
            let mut claims = Claims::default();
            let texts = claims.read_payload(found.payload, found.unescaped, policy)?;
            Ok(Named::new(&claims, texts, found.signing_input))
        })
        .map_err(RevokeError::Token)
    }

    /// The same for a token that was verified elsewhere.
    fn name_vouched(&self, token: &[u8]) -> Result<Named, RevokeError> {
        let read = |scratch: &mut Scratch| {
            self.read_vouched(scratch, token).map(|read| Named::new(&read.claims, read.texts, read.signing_input))
        };
        with_thread_scratch(read).map_err(RevokeError::Token)
    }
}

struct Named {
    target: Target,
    issuer: Issuer,
    expires_at: Option<UnixTime>,
}

impl Named {
    fn new(claims: &Claims, texts: ClaimStrings<'_>, signing_input: &[u8]) -> Self {
        let traits = super::replica::traits(claims, texts);
        let token_id = match traits.jti {
            Some(jti) => TokenId::from(jti),
            None => TokenId::SigningInput(crypto::sha256(signing_input)),
        };
        let (target, issuer) = (Target::Token(token_id), Issuer::of(traits.iss));
        Self { target, issuer, expires_at: claims.exp() }
    }
}

/// No token has ended before the year 2000: what lies before it are seconds that were taken for milliseconds.
const FIRST_EXP: UnixTime = UnixTime::from_secs(946_684_800);

/// Refuses what only a slip can have made: an unset variable would log out nobody, or everybody.
fn refuse_slips(target: &Target, issuer: &Issuer, keep: &[String], reason: Option<&str>) -> Result<(), RevokeError> {
    let (what, claim) = match target.scope() {
        Scope::Token => ("token id", "jti"),
        Scope::Session => ("session", "sid"),
        Scope::Subject => ("subject", "sub"),
        Scope::Everything => ("value", ""),
    };
    let named = match target {
        Target::Token(TokenId::Jti(jti)) => jti,
        Target::Session(value) | Target::Subject(value) => value.as_str(),
        Target::Token(TokenId::SigningInput(_)) | Target::Everything => "",
    };
    if is_whole_token(named) {
        return Err(RevokeError::WholeToken { what, claim });
    }
    if keep.iter().any(|id| is_whole_token(id)) {
        return Err(RevokeError::WholeToken { what: "kept id", claim: "jti or sid" });
    }
    if target.is_empty() {
        return Err(RevokeError::Empty { what });
    }
    if keep.iter().any(String::is_empty) {
        return Err(RevokeError::Empty { what: "kept id" });
    }
    let named = if let Issuer::Named(name) = issuer { name.len() } else { 0 };
    let texts = [(what, target.value().len()), ("issuer", named), ("reason", reason.map_or(0, str::len))];
    let kept = keep.iter().map(|id| ("kept id", id.len()));
    if let Some((what, _)) = texts.into_iter().chain(kept).find(|(_, len)| *len > REVOCATION_TEXT_BYTES_MAX) {
        return Err(RevokeError::TooLong { what, max: REVOCATION_TEXT_BYTES_MAX });
    }
    let beside: usize = keep.iter().map(String::len).sum::<usize>() + reason.map_or(0, str::len);
    if beside > KEPT_BYTES_MAX {
        return Err(RevokeError::TooLong { what: "reason and kept ids together", max: KEPT_BYTES_MAX });
    }
    if target.value().len() + named > REVOCATION_TEXT_BYTES_MAX {
        return Err(RevokeError::TooLong { what: "value and issuer together", max: REVOCATION_TEXT_BYTES_MAX });
    }
    if keep.len() > KEEP_MAX {
        return Err(RevokeError::TooLong { what: "number of kept ids", max: KEEP_MAX });
    }
    Ok(())
}

/// Whether a text is a token, also with the word before it that a header has: three parts, of which the first is a JOSE header.
fn is_whole_token(text: &str) -> bool {
    let text = text.trim();
    let text = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        Some(_) | None => text,
    };
    let text = text.trim_matches('"');
    // Also without its signature: as a server's log shows tokens.
    let whole = match text.split('.').count() {
        2 => format!("{text}."),
        _ => text.to_owned(),
    };
    let token = UnverifiedToken::parse(whole.as_bytes(), usize::MAX);
    token.is_ok_and(|token| Header::parse(&token.unverified_header(), &mut String::new()).is_ok())
}

/// The revocations in a log, in order, read a page at a time.
pub struct RevocationsInLog {
    log: Arc<Replica>,
    page: std::vec::IntoIter<Placed>,
    after: i64,
    ended: bool,
}

const PAGE: usize = 1000;

impl Iterator for RevocationsInLog {
    type Item = Result<Record, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.len() == 0 && !self.ended {
            match self.log.log.list(self.after, PAGE) {
                Ok(page) => {
                    self.ended = page.end.is_none();
                    self.after = page.end.unwrap_or(self.after);
                    // What stands in the place of one that was erased is nothing to be shown.
                    self.page = page
                        .records
                        .into_iter()
                        .filter(|(_, record)| !record.is_blank())
                        .collect::<Vec<_>>()
                        .into_iter();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.page.next().map(|(_, record)| Ok(record))
    }
}

impl std::fmt::Debug for RevocationsInLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevocationsInLog").field("after", &self.after).finish_non_exhaustive()
    }
}
