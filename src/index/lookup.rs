//! Screening: whether any record means a token. The read side of the index, and nothing else.

use std::sync::Arc;

use arc_swap::Guard;

use super::View;
use super::fuse_filter::Probe;
use super::issuers::Issuers;
use super::lsm_tree::LsmTree;
use super::merged_cut_offs::{CutOff, Signed, Spared};
use crate::clock::UnixTime;
use crate::revocation::{Fingerprint, IssuerMark, KeptId, Lane, Salt, Scope};

/// Proof that a token was screened and no record means it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRevoked(());

/// What of a verified token is screened.
#[derive(Clone, Copy)]
pub(crate) struct Traits<'a> {
    pub(crate) jti: Option<&'a str>,
    pub(crate) sid: Option<&'a str>,
    pub(crate) sub: Option<&'a str>,
    pub(crate) iss: Option<&'a str>,
    pub(crate) iat: Option<UnixTime>,
    /// The latest cut-off that the token's signer knew, if it says so.
    pub(crate) knowing: Option<UnixTime>,
}

/// The answer to a screening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screened {
    NotRevoked(NotRevoked),
    Revoked(Scope),
    /// The token was issued before cut-offs of this scope, and is spared from them by none of its ids.
    CutOff(Scope),
}

/// How often filters were asked, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probes {
    pub(crate) probes: u32,
    pub(crate) positives: u32,
    pub(crate) false_positives: u32,
}

/// A view of the index, which one verdict reads, and what was known before it was loaded: whoever asks for a view hands that
/// over first.
///
/// A screening may begin before the token's signature was verified. Then it holds the fingerprint of what the token's `jti`
/// was guessed to be, too: that is used only where the verified `jti` turns out to stand at that very place.
pub(crate) struct Look<'p, A> {
    as_of: A,
    pub(super) view: Guard<Arc<View>>,
    pub(super) guess: Option<Guessed<'p>>,
}

#[derive(Clone, Copy)]
pub(super) struct Guessed<'p> {
    jti: &'p [u8],
    print: Fingerprint,
    filters: Filters,
}

/// What the filters of a view say of a fingerprint.
#[derive(Clone, Copy)]
enum Filters {
    Unasked,
    /// The first segment that may hold it.
    Maybe(usize),
    /// None does.
    Absent,
}

impl<'p, A> Look<'p, A> {
    /// A lookup in a large index waits for memory. Here the memory is asked for, and nothing waits for it: it
    /// comes while the hash of the signature is computed.
    #[inline]
    pub(super) fn new(as_of: A, view: Guard<Arc<View>>, salt: &Salt, jti: impl FnOnce() -> Option<&'p [u8]>) -> Self {
        let jtis = &view.lanes[Lane::Jti as usize];
        let guess = if jtis.is_empty() { None } else { jti() };
        let guess = guess.map(|jti| {
            let print = salt.fingerprint(Lane::Jti, jti);
            jtis.segments.iter().for_each(|segment| segment.prefetch(print.key));
            Guessed { jti, print, filters: Filters::Unasked }
        });
        Self { as_of, view, guess }
    }

    /// What was known before the view was loaded.
    #[inline]
    pub(crate) fn as_of(&self) -> &A {
        &self.as_of
    }

    /// Asks the filters, and for the entries behind a "maybe", where what was asked for first can be there by now.
    /// Where it can't, asking would only wait for it: the claims are read meanwhile.
    #[inline]
    pub(crate) fn go_on(&mut self) {
        let jtis = &self.view.lanes[Lane::Jti as usize];
        if let Some(Guessed { print, filters, .. }) = &mut self.guess
            && jtis.len() <= NEAR_RECORDS
        {
            *filters = match jtis.segments.iter().position(|segment| segment.probe(print.key) == Probe::Maybe) {
                Some(first) => {
                    jtis.segments[first].prefetch_entries(print.key);
                    Filters::Maybe(first)
                }
                None => Filters::Absent,
            };
        }
    }
}

/// Up to how many records the filters lie in a processor's second cache (2.5 MB), and are read in a few
/// nanoseconds once they were asked for.
const NEAR_RECORDS: usize = 1 << 21;

/// What fingerprints are made with: the log's secret, and the issuers that its records name.
#[derive(Clone, Copy)]
pub(super) struct Names<'i> {
    pub(super) salt: &'i Salt,
    pub(super) issuers: &'i Issuers,
}

impl View {
    /// Whether a record means the token, from the narrowest scope to the widest.
    ///
    /// `signing_input` is asked for the hash that names a token without `jti`, when there is a record
    /// of any such token. Cost: one SipHash and a probe of each segment for each scope that has records.
    #[inline]
    pub(super) fn screen(
        &self,
        Names { salt, issuers }: Names<'_>,
        token: &Traits<'_>,
        guess: Option<Guessed<'_>>,
        signing_input: impl FnOnce() -> [u8; 32],
        probes: &mut Probes,
    ) -> Screened {
        let mut screen = Screen { salt, issuers, token, mark: None, probes };
        let [jtis, signing_inputs, sessions, subjects] = &self.lanes;
        if let Some(jti) = token.jti {
            let is_listed = match guess {
                _ if jtis.is_empty() => false,
                Some(Guessed { jti: guess, print, filters }) if std::ptr::eq(guess, jti.as_bytes()) => {
                    screen.is_listed(jtis, print, filters)
                }
                Some(_) | None => screen.is_listed(jtis, salt.fingerprint(Lane::Jti, jti.as_bytes()), Filters::Unasked),
            };
            if is_listed {
                return Screened::Revoked(Scope::Token);
            }
        } else if !signing_inputs.is_empty()
            && screen.is_listed(
                signing_inputs,
                salt.fingerprint(Lane::SigningInput, &signing_input()),
                Filters::Unasked,
            )
        {
            return Screened::Revoked(Scope::Token);
        }
        if let Some(sid) = token.sid
            && !sessions.is_empty()
            && screen.is_listed(sessions, salt.fingerprint(Lane::Session, sid.as_bytes()), Filters::Unasked)
        {
            return Screened::Revoked(Scope::Session);
        }
        if let Some(sub) = token.sub
            && !subjects.is_empty()
            && screen.is_cut_off(subjects, sub)
        {
            return Screened::CutOff(Scope::Subject);
        }
        if !self.everything.is_empty() && screen.is_cut_off_with_everything(self) {
            return Screened::CutOff(Scope::Everything);
        }
        Screened::NotRevoked(NotRevoked(()))
    }

    /// The latest cut-off that would revoke a token with these traits, were it issued early enough and kept by none.
    pub(super) fn latest_cut_off(&self, Names { salt, issuers }: Names<'_>, token: &Traits<'_>) -> Option<UnixTime> {
        let mut screen = Screen { salt, issuers, token, mark: None, probes: &mut Probes::default() };
        let meant = self.everything.iter().filter(|one| one.issuer.means(token.iss));
        let mut latest = meant.map(|one| one.cut_off.at).max();
        if let Some(sub) = token.sub {
            let print = salt.fingerprint(Lane::Subject, sub.as_bytes());
            self.lanes[Lane::Subject as usize].each_of(print.key, |tag, _, cut_off| {
                if screen.is_meant(print, tag) {
                    latest = latest.max(cut_off.map(|cut_off| cut_off.at));
                }
            });
        }
        latest
    }
}

struct Screen<'a> {
    salt: &'a Salt,
    issuers: &'a Issuers,
    token: &'a Traits<'a>,
    /// Made when it is first needed: few tokens get past the filters.
    mark: Option<IssuerMark>,
    probes: &'a mut Probes,
}

impl Screen<'_> {
    #[inline]
    fn is_listed(&mut self, records: &LsmTree, print: Fingerprint, filters: Filters) -> bool {
        if self.is_recent(records, print) {
            return true;
        }
        let (from, is_asked) = match filters {
            Filters::Unasked => (0, false),
            Filters::Maybe(first) => (first, true),
            Filters::Absent => (records.segments.len(), true),
        };
        for (at, segment) in records.segments.iter().enumerate().skip(from) {
            let probed = is_asked && at == from;
            if probed || segment.probe(print.key) == Probe::Maybe {
                let listed = segment.has(print.key, |tag| self.is_meant(print, tag));
                self.count(segment.filter().is_fuse(), listed);
                if listed {
                    return true;
                }
            }
        }
        self.probes.probes += u32::try_from(records.segments.len()).unwrap_or(u32::MAX);
        false
    }

    /// Whether the recent set has it.
    #[inline]
    fn is_recent(&mut self, records: &LsmTree, print: Fingerprint) -> bool {
        let Some(recent) = &records.recent else { return false };
        recent.find(print.key).any(|found| self.is_meant(print, found.tag()))
    }

    #[cold]
    fn count(&mut self, has_filter: bool, listed: bool) {
        if has_filter {
            self.probes.positives += 1;
            self.probes.false_positives += u32::from(!listed);
        }
        self.probes.probes += u32::from(listed);
    }

    /// Whether the tag is that of the value for any issuer, or for the token's.
    #[inline]
    fn is_meant(&mut self, print: Fingerprint, tag: u64) -> bool {
        tag == print.tag || tag == print.of_issuer(self.mark()).tag
    }

    #[inline]
    fn mark(&mut self) -> IssuerMark {
        *self.mark.get_or_insert_with(|| self.issuers.mark(self.salt, self.token.iss))
    }

    /// Whether the cut-offs of the subject revoke the token: those of any issuer, or those of the token's.
    fn is_cut_off(&mut self, records: &LsmTree, sub: &str) -> bool {
        let print = self.salt.fingerprint(Lane::Subject, sub.as_bytes());
        let mut found = CutOffs { of_any: Spared::UNREACHED, of_own: Spared::UNREACHED };
        for held in records.recent.iter().flat_map(|recent| recent.find(print.key)) {
            let tag = held.tag();
            held.cut_off(|cut_off| self.spare(&mut found, print, tag, cut_off));
        }
        for segment in &records.segments {
            self.probes.probes += 1;
            if segment.probe(print.key) == Probe::Maybe {
                let mut listed = false;
                for (at, entry) in segment.find(print.key) {
                    if let Some(cut_off) = segment.cut_off(at) {
                        listed |= self.spare(&mut found, print, entry.tag(), cut_off);
                    }
                }
                self.probes.positives += u32::from(segment.filter().is_fuse());
                self.probes.false_positives += u32::from(segment.filter().is_fuse() && !listed);
            }
        }
        found.of_any.is_revoked() || found.of_own.is_revoked()
    }

    /// Takes in what one part of the index knows of the cut-offs of one issuer, if they mean the token.
    fn spare(&mut self, found: &mut CutOffs, print: Fingerprint, tag: u64, cut_off: &CutOff) -> bool {
        if tag == print.tag {
            found.of_any = found.of_any.and(self.spared_by(cut_off));
        } else if tag == print.of_issuer(self.mark()).tag {
            found.of_own = found.of_own.and(self.spared_by(cut_off));
        } else {
            return false;
        }
        true
    }

    /// The same of the cut-offs of everything.
    #[cold]
    fn is_cut_off_with_everything(&self, view: &View) -> bool {
        let mut meant = view.everything.iter().filter(|one| one.issuer.means(self.token.iss));
        meant.any(|one| self.spared_by(&one.cut_off).is_revoked())
    }

    /// Which of the token's ids spare it.
    fn spared_by(&self, cut_off: &CutOff) -> Spared {
        cut_off.spared(self.token.signed(), || self.token.kept_ids(self.salt))
    }
}

/// What was found of a subject's cut-offs. Those of any issuer and those of the token's are judged each by itself.
struct CutOffs {
    of_any: Spared,
    of_own: Spared,
}

impl Traits<'_> {
    fn signed(&self) -> Signed {
        Signed { at: self.iat, knowing: self.knowing }
    }

    fn kept_ids(&self, salt: &Salt) -> [Option<KeptId>; 2] {
        [self.jti, self.sid].map(|id| id.map(|id| salt.kept(id)))
    }
}
