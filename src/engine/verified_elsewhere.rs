//! Tokens whose signature was verified elsewhere: screened and logged out all the same.
//!
//! Another library may check a signature by an algorithm that signoff does not have. Whether the token was logged out
//! is then still to be asked, by the same rules as for every other token.

use super::replica::{JudgedAt, Now};
use super::{Cleared, Engine, Scratch, with_thread_scratch};
use crate::clock::{Clock, Times, UnixTime};
use crate::denied::{Denied, Reject, Unknown};
use crate::index::Probes;
use crate::policy::ClaimStrings;
use crate::policy::claims::Claims;
use crate::token::UnverifiedToken;
use crate::token::header::{Header, refuse_duplicates};

/// A token whose signature the caller has verified by other means, over the bytes exactly as they stand here.
///
/// Trust: the caller's word for the signature, and for nothing else. What is said of a token that nobody has verified
/// means nothing: its sender chose the `jti` by which it is looked up.
#[derive(Clone, Copy)]
pub struct VouchedToken<'a>(&'a [u8]);

impl<'a> VouchedToken<'a> {
    /// Takes the caller's word.
    #[must_use]
    pub fn insecure_verified_elsewhere(token: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self(token.as_ref())
    }

    pub(super) const fn bytes(self) -> &'a [u8] {
        self.0
    }
}

/// Shows its length: whoever holds a token can use it.
impl std::fmt::Debug for VouchedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VouchedToken").field("bytes", &self.0.len()).finish_non_exhaustive()
    }
}

/// A vouched token as this engine reads it.
pub(super) struct Read<'a> {
    pub(super) signing_input: &'a [u8],
    pub(super) texts: ClaimStrings<'a>,
    pub(super) claims: Claims,
}

impl Engine {
    /// Whether a token that was verified elsewhere has been logged out: the last two steps of a verification.
    ///
    /// Its shape, its header and the types of its claims are held to the same rules as in
    /// [`verify`](Self::verify), but for the algorithm, and the types of `aud`, `nbf` and `cnf`; its times, issuer, audience and type are not looked at, but for
    /// what the log needs: no `iat` further ahead than it lets, with a longest lifetime a token must have `exp` and `iat` and keep to it, and an
    /// expired token whose revocations may have been collected is refused as expired. An engine without a log answers
    /// [`Cleared::NoLog`].
    ///
    /// Cost: that of [`verify`](Self::verify) less the signature.
    ///
    /// # Errors
    /// [`Denied::Rejected`] for the token's shape, header or claims, and when it was logged out;
    /// [`Denied::Unavailable`] where we cannot tell.
    pub fn screen(&self, token: VouchedToken<'_>) -> Result<Cleared, Denied> {
        self.screen_by(token, self.clock())
    }

    /// [`screen`](Self::screen) at the times that the caller gives.
    ///
    /// # Errors
    /// Those of [`screen`](Self::screen).
    pub fn screen_at(&self, token: VouchedToken<'_>, times: Times) -> Result<Cleared, Denied> {
        self.screen_by(token, Clock::Given(times))
    }

    fn screen_by(&self, token: VouchedToken<'_>, clock: Clock) -> Result<Cleared, Denied> {
        with_thread_scratch(|scratch| {
            let read = self.read_vouched(scratch, token.bytes())?;
            let Some(served) = &self.shared.log else { return Ok(Cleared::NoLog) };
            let log = &*served.replica;
            let look = log.look(|| None);
            let limit = read.claims.iat().map(|iat| log.issued_in_future_max().limit(iat));
            let now = clock.now([limit, None, None, None]);
            if now <= UnixTime::default() {
                return Err(Unknown::ClockNotSet { now }.into());
            }
            let at = JudgedAt { clock, now: Now { time: now, leeway: self.policy().leeway } };
            log.clear(&look, &read.claims, read.texts, read.signing_input, at, &mut Probes::default())
        })
    }

    /// Reads what a token says, strictly, whoever signed it.
    pub(super) fn read_vouched<'a>(&self, scratch: &'a mut Scratch, token: &'a [u8]) -> Result<Read<'a>, Reject> {
        let policy = self.policy();
        let token = UnverifiedToken::parse(token, policy.token_bytes_max)?;
        let buffers = &mut scratch.buffers;
        buffers.let_go();
        let header = token.decode_header(&mut buffers.header)?;
        Header::parse(header, &mut buffers.unescaped)?;
        refuse_duplicates(header, &mut buffers.unescaped)?;
        if token.signature().is_empty() {
            return Err(Reject::SignatureMissing);
        }
        let payload = token.decode_payload(&mut buffers.payload)?;
        let mut claims = Claims::default();
        let texts = claims.read_payload_to_screen(payload, &mut buffers.unescaped, policy)?;
        Ok(Read { signing_input: token.signing_input(), texts, claims })
    }
}
