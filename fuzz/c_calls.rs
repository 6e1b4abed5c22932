//! Calls through the C interface in any order, on handles that live, are NULL, or were freed and set to NULL, held to
//! the same calls from Rust. The fuzz target and `tests/c_calls.rs` share it.
#![allow(unsafe_code)] // Calls C functions.

use std::ffi::c_char;
use std::ptr::{null, null_mut};
use std::time::Duration;

use signoff::ffi::*;
use signoff::{
    Accepted, Algorithm, Engine, Issuer, Key, KeySet, Log, NewToken, Policy, Revocation, RevocationStatus, Revoked,
    Status, Threads, Times, UnixTime, VouchedToken,
};

const SECRET: &[u8; 64] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const NOW_MS: i64 = 1_700_000_000_000;

/// Bytes that say what to do next. Zero when they are used up.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn next(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    fn below(&mut self, end: u8) -> u8 {
        self.next() % end
    }

    fn take(&mut self) -> &'a [u8] {
        let len = usize::from(self.next() & 31).min(self.0.len());
        self.0.split_off(..len).unwrap_or_default()
    }

    /// One of few texts, so that they meet again, or any bytes.
    fn text(&mut self) -> &'a [u8] {
        match self.below(8) {
            0 => self.take(),
            at => [&b"a"[..], b"b", b"u", b"", b"https://i", b"s", b"jti:a"][usize::from(at) - 1],
        }
    }
}

/// What both sides hold. A handle that is NULL stands beside nothing.
struct World {
    engine: *mut signoff_engine,
    mirror: Option<Engine>,
    accepted: *mut signoff_accepted,
    kept: Option<Accepted<'static>>,
    tokens: Vec<Vec<u8>>,
    error: signoff_error,
}

fn view(text: &[u8]) -> signoff_str {
    signoff_str { data: text.as_ptr().cast(), len: text.len() }
}

/// A struct that is all zero but for its size.
fn sized<T>() -> T {
    // SAFETY: every struct of the header says that it may be all zero, and begins with its size.
    unsafe {
        let mut zeroed: T = std::mem::zeroed();
        (&raw mut zeroed).cast::<u32>().write(size_of::<T>() as u32);
        zeroed
    }
}

fn times(now: i64) -> (signoff_times, Times) {
    let given = signoff_times { unix_ms: now, since_boot_ms: 1000, ..sized() };
    (given, Times::at(UnixTime::from_millis(now)).since_boot(Duration::from_secs(1)))
}

/// A view as text. What C gives is UTF-8 and lies where it says.
unsafe fn read<'a>(view: signoff_str) -> Option<&'a str> {
    if view.data.is_null() {
        return None;
    }
    // SAFETY: the caller vouches for the view.
    let bytes = unsafe { std::slice::from_raw_parts(view.data.cast(), view.len) };
    Some(std::str::from_utf8(bytes).expect("UTF-8"))
}

/// Returns how many calls did what they promise.
pub fn run(data: &[u8]) -> usize {
    let mut bytes = Bytes(data);
    let mut world = World {
        engine: null_mut(),
        mirror: None,
        accepted: null_mut(),
        kept: None,
        tokens: vec![b"a.b.c".to_vec()],
        error: sized(),
    };
    let mut done = 0;
    while !bytes.0.is_empty() {
        let status = world.step(&mut bytes);
        done += usize::from(status == SIGNOFF_OK);
        assert!(Status::from_number(status).is_some() && status != SIGNOFF_ERR_PANIC, "{status}");
    }
    world.free();
    done
}

impl World {
    fn step(&mut self, bytes: &mut Bytes<'_>) -> signoff_status {
        match bytes.below(14) {
            0 | 1 => self.open(bytes),
            2 | 3 => self.sign(bytes),
            4 | 5 => self.verify(bytes),
            6 => self.batch(bytes),
            7 | 8 => self.revoke(bytes),
            9 => self.accept(bytes),
            10 => self.is_revoked(),
            11 => self.end(bytes),
            12 => self.screen(bytes),
            _ => self.move_to_another_engine(bytes),
        }
    }

    /// Holds what C says of a call to what Rust says.
    fn same(&self, got: signoff_status, expected: Status) -> signoff_status {
        assert_eq!(Status::from_number(got), Some(expected));
        assert_eq!(self.error.status, got);
        got
    }

    fn status_without_engine(&self) -> Status {
        Status::Null
    }

    fn open(&mut self, bytes: &mut Bytes<'_>) -> signoff_status {
        if !self.engine.is_null() {
            return 0;
        }
        let with_log = bytes.below(4) != 0;
        let leeway = u64::from(bytes.next()) * 1500;
        let issuer = bytes.text();
        let has_issuer = bytes.below(4) == 0;
        let views = [view(issuer)];
        let policy = signoff_policy {
            leeway_ms: leeway,
            issuers: if has_issuer { views.as_ptr() } else { null() },
            issuers_len: usize::from(has_issuer),
            ..sized()
        };
        let options = signoff_log_options { kind: SIGNOFF_LOG_MEMORY, flags: SIGNOFF_LOG_NO_THREADS, ..sized() };
        let (mut keys, mut log) = (null_mut(), null_mut());
        // SAFETY: every pointer is to a value that outlives the call.
        let status = unsafe {
            let secret = SECRET.as_ptr().cast();
            assert_eq!(signoff_key_set_from_secret(1, secret, 64, 0, &mut keys, &mut self.error), SIGNOFF_OK);
            assert_eq!(signoff_log_new(&options, &mut log, null_mut()), SIGNOFF_OK);
            let status = match with_log {
                true => signoff_engine_open(keys, &policy, log, &mut self.engine, &mut self.error),
                false => signoff_engine_new(keys, &policy, &mut self.engine, &mut self.error),
            };
            signoff_log_free(log);
            signoff_key_set_free(keys);
            status
        };
        let mut policy = Policy::new().leeway(Duration::from_millis(leeway));
        if has_issuer {
            let Ok(issuer) = std::str::from_utf8(issuer) else { return self.same(status, Status::NotUtf8) };
            policy = policy.issuer(issuer);
        }
        let keys = KeySet::new([Key::hmac(Algorithm::Hs256, SECRET).unwrap()]).unwrap();
        let made = match with_log {
            true => Engine::open(keys, policy, Log::memory().threads(Threads::None)),
            false => Engine::new(keys, policy),
        };
        let expected = made.as_ref().map_or_else(signoff::Error::status, |_| Status::Done);
        self.mirror = made.ok();
        assert_eq!(self.engine.is_null(), self.mirror.is_none());
        self.same(status, expected)
    }

    fn sign(&mut self, bytes: &mut Bytes<'_>) -> signoff_status {
        let text = |bytes: &mut Bytes<'_>| serde_json::Value::from(String::from_utf8_lossy(bytes.text()));
        let mut claims = match bytes.below(6) {
            0 => bytes.take().to_vec(),
            _ => {
                let (iss, sub, sid, jti) = (text(bytes), text(bytes), text(bytes), text(bytes));
                format!(r#"{{"iss":{iss},"sub":{sub},"sid":{sid},"jti":{jti}}}"#).into_bytes()
            }
        };
        if bytes.below(8) == 0 {
            claims = String::from_utf8_lossy(&claims).replace("\"u\"", "\"\\u0075\"").into_bytes();
        }
        let lives = u64::from(bytes.next()) * 100_000;
        let size = if bytes.below(4) == 0 { usize::from(bytes.next()) } else { 1024 };
        let new_token = signoff_new_token { claims: view(&claims), expires_in_ms: lives, ..sized() };
        let (mut signed, mut buffer, (now, now_rust)) = (sized::<signoff_signed>(), vec![0; size], times(NOW_MS));
        // SAFETY: every pointer is to a value that outlives the call; the buffer is as long as is said.
        let status = unsafe {
            let start = buffer.as_mut_ptr();
            signoff_engine_sign(self.engine, &new_token, &now, start, size, &mut signed, &mut self.error)
        };
        let Some(engine) = &self.mirror else { return self.same(status, self.status_without_engine()) };
        let Ok(claims) = std::str::from_utf8(&claims) else { return self.same(status, Status::NotUtf8) };
        let mut new = NewToken::from_json(claims);
        if lives != 0 {
            new = new.expires_in(Duration::from_millis(lives));
        }
        match engine.sign_at(new, now_rust) {
            Err(error) => self.same(status, error.status()),
            Ok(ours) => {
                let needed = ours.token().len() + ours.token_id().len();
                if needed > size {
                    // A `jti` of its own makes the lengths the same on both sides, and 36 bytes otherwise.
                    assert_eq!(self.error.needed, needed);
                    return self.same(status, Status::BufferTooSmall);
                }
                self.same(status, Status::Done);
                // SAFETY: the texts lie in the buffer.
                let (token, jti) = unsafe { (read(signed.token).unwrap(), read(signed.jti).unwrap()) };
                assert_eq!((token.len(), jti.len()), (ours.token().len(), ours.token_id().len()));
                assert_eq!(signed.issued_at_ms, ours.issued_at().as_millis());
                self.tokens.push(token.as_bytes().to_vec());
                status
            }
        }
    }

    fn token(&self, bytes: &mut Bytes<'_>) -> Vec<u8> {
        let mut token = self.tokens[usize::from(bytes.next()) % self.tokens.len()].clone();
        if bytes.below(8) == 0 && !token.is_empty() {
            let at = usize::from(bytes.next()) % token.len();
            token[at] = bytes.next();
        }
        token
    }

    fn verify(&mut self, bytes: &mut Bytes<'_>) -> signoff_status {
        let token = self.token(bytes);
        let size = if bytes.below(3) == 0 { usize::from(bytes.next()) } else { signoff_buffer_bytes(token.len()) };
        let now = if bytes.below(16) == 0 { 0 } else { NOW_MS + i64::from(bytes.next()) * 100_000 };
        let (mut claims, mut buffer, (given, now_rust)) = (sized::<signoff_claims>(), vec![0; size], times(now));
        // SAFETY: every pointer is to a value that outlives the call; the buffer is as long as is said.
        let status = unsafe {
            let (data, start) = (token.as_ptr().cast(), buffer.as_mut_ptr());
            let claims = &mut claims;
            signoff_engine_verify(self.engine, data, token.len(), &given, start, size, claims, &mut self.error)
        };
        if status != SIGNOFF_OK {
            assert!(claims.cleared == SIGNOFF_CLEARED_NOTHING && claims.payload.data.is_null());
        }
        let Some(engine) = &self.mirror else { return self.same(status, self.status_without_engine()) };
        if now == 0 {
            return self.same(status, Status::TimeNotSet);
        }
        let accepted = match engine.verify_owned_at(&token, now_rust) {
            Ok(accepted) => accepted,
            Err(denied) => return self.same(status, denied.status()),
        };
        if status == SIGNOFF_ERR_BUFFER_TOO_SMALL {
            assert!(self.error.needed > size && self.error.needed <= signoff_buffer_bytes(token.len()));
            return status;
        }
        // SAFETY: the texts lie in the buffer.
        unsafe {
            assert_eq!(read(claims.payload), Some(accepted.payload()));
            assert_eq!(read(claims.issuer), accepted.issuer());
            assert_eq!(read(claims.subject), accepted.subject());
            assert_eq!(read(claims.jti), accepted.jti());
            assert_eq!(read(claims.session), accepted.session());
        }
        let millis = |time: Option<UnixTime>| time.map_or(SIGNOFF_TIME_ABSENT, UnixTime::as_millis);
        assert_eq!(claims.expires_at_ms, millis(accepted.expires_at()));
        assert_eq!(claims.issued_at_ms, millis(accepted.issued_at()));
        self.same(status, Status::Done)
    }

    fn batch(&mut self, bytes: &mut Bytes<'_>) -> signoff_status {
        let tokens: Vec<_> = (0..bytes.below(5)).map(|_| self.token(bytes)).collect();
        let views: Vec<_> = tokens.iter().map(|token| view(token)).collect();
        let (mut statuses, (now, now_rust)) = (vec![SIGNOFF_OK; tokens.len()], times(NOW_MS));
        // SAFETY: as many tokens and statuses as is said, which outlive the call.
        let status = unsafe {
            let (tokens, out) = (views.as_ptr(), statuses.as_mut_ptr());
            signoff_engine_verify_batch(self.engine, tokens, views.len(), &now, out, &mut self.error)
        };
        let Some(engine) = &self.mirror else {
            assert!(statuses.iter().all(|status| *status == SIGNOFF_ERR_NOT_VERIFIED));
            return self.same(status, self.status_without_engine());
        };
        let verdict =
            |token| engine.verify_owned_at(token, now_rust).map_or_else(|denied| denied.status(), |_| Status::Done);
        let expected: Vec<_> = tokens.iter().map(verdict).collect();
        assert_eq!(statuses, expected.iter().map(|status| status.number()).collect::<Vec<_>>());
        let first = expected.into_iter().find(|status| *status != Status::Done);
        self.same(status, first.unwrap_or(Status::Done))
    }

    fn revoke(&mut self, bytes: &mut Bytes<'_>) -> signoff_status {
        let target = u32::from(bytes.below(10));
        let whole = matches!(target, SIGNOFF_REVOKE_TOKEN | SIGNOFF_REVOKE_INSECURE_VOUCHED);
        let value = if whole { self.token(bytes) } else { bytes.text().to_vec() };
        let (kept, has_kept) = (bytes.text(), bytes.below(3) == 0);
        let issuer_kind = u32::from(bytes.below(3));
        let keep = [view(kept)];
        let takes_value = !matches!(target, SIGNOFF_REVOKE_EVERYTHING | SIGNOFF_REVOKE_ACCEPTED);
        let no_text = signoff_str { data: null::<c_char>(), len: 0 };
        let revocation = signoff_revocation {
            target,
            value: if takes_value { view(&value) } else { no_text },
            accepted: if target == SIGNOFF_REVOKE_ACCEPTED { self.accepted } else { null() },
            issuer_kind,
            issuer: if issuer_kind == SIGNOFF_ISSUER_NAMED { view(b"https://i") } else { no_text },
            keep: if has_kept { keep.as_ptr() } else { null() },
            keep_len: usize::from(has_kept),
            ..sized()
        };
        let (mut revoked, (now, now_rust)) = (sized::<signoff_revoked>(), times(NOW_MS));
        // SAFETY: every pointer is to a value that outlives the call, or to a live handle, or NULL.
        let status = unsafe { signoff_engine_revoke(self.engine, &revocation, &now, &mut revoked, &mut self.error) };
        let Some(engine) = &self.mirror else { return self.same(status, self.status_without_engine()) };
        let expected = match self.rust_revocation(target, &value, issuer_kind, has_kept.then_some(kept)) {
            Err(status) => Err(status),
            Ok(revocation) => engine.revoke_at(revocation, now_rust).map_err(|error| error.status()),
        };
        match expected {
            Err(expected) => {
                assert_eq!(revoked.outcome, SIGNOFF_REVOKED_PENDING);
                self.same(status, expected)
            }
            Ok(expected) => {
                let outcome = match expected {
                    Revoked::Recorded { .. } => SIGNOFF_REVOKED_RECORDED,
                    Revoked::AlreadyCovered => SIGNOFF_REVOKED_ALREADY_COVERED,
                    _ => SIGNOFF_REVOKED_ALREADY_EXPIRED,
                };
                assert_eq!(revoked.outcome, outcome);
                self.same(status, Status::Done)
            }
        }
    }

    /// The same revocation, or what C must say of one that Rust could not even be asked for.
    fn rust_revocation(
        &self,
        target: u32,
        value: &[u8],
        issuer_kind: u32,
        kept: Option<&[u8]>,
    ) -> Result<Revocation, Status> {
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Status::NotUtf8);
        let value = match target {
            SIGNOFF_REVOKE_EVERYTHING | SIGNOFF_REVOKE_ACCEPTED => String::new(),
            _ => text(value)?,
        };
        let mut revocation = match target {
            SIGNOFF_REVOKE_TOKEN => Revocation::token_text(value),
            SIGNOFF_REVOKE_ACCEPTED => Revocation::token(self.kept.as_ref().ok_or(Status::Null)?),
            SIGNOFF_REVOKE_JTI => Revocation::token_id(value),
            SIGNOFF_REVOKE_TOKEN_ID => {
                Revocation::token_id(signoff::TokenId::from_printed(&value).ok_or(Status::OptionUnknown)?)
            }
            SIGNOFF_REVOKE_SESSION => Revocation::session(value),
            SIGNOFF_REVOKE_SUBJECT => Revocation::subject(value),
            SIGNOFF_REVOKE_EVERYTHING => Revocation::everything(),
            SIGNOFF_REVOKE_INSECURE_VOUCHED => {
                Revocation::vouched_token(VouchedToken::insecure_verified_elsewhere(&value))
            }
            _ => return Err(Status::OptionUnknown),
        };
        let names_itself =
            matches!(target, SIGNOFF_REVOKE_TOKEN | SIGNOFF_REVOKE_ACCEPTED | SIGNOFF_REVOKE_INSECURE_VOUCHED);
        if issuer_kind != SIGNOFF_ISSUER_ANY && names_itself {
            return Err(Status::OptionUnknown);
        }
        revocation = match issuer_kind {
            SIGNOFF_ISSUER_ABSENT => revocation.issuer(Issuer::Absent),
            SIGNOFF_ISSUER_NAMED => revocation.issuer("https://i"),
            _ => revocation,
        };
        match kept {
            None => Ok(revocation),
            Some(id) => Ok(revocation.keep(text(id)?)),
        }
    }

    fn accept(&mut self, bytes: &mut Bytes<'_>) -> signoff_status {
        let (token, (now, now_rust)) = (self.token(bytes), times(NOW_MS));
        // SAFETY: the handle was made by the library, and is set to NULL or a new one by the next call.
        unsafe { signoff_accepted_free(self.accepted) };
        self.kept = None;
        // SAFETY: every pointer is to a value that outlives the call.
        let status = unsafe {
            let (data, out) = (token.as_ptr().cast(), &mut self.accepted);
            signoff_engine_accept(self.engine, data, token.len(), &now, out, &mut self.error)
        };
        let Some(engine) = &self.mirror else { return self.same(status, self.status_without_engine()) };
        let made = engine.verify_owned_at(&token, now_rust);
        let expected = made.as_ref().map_or_else(|denied| denied.status(), |_| Status::Done);
        self.kept = made.ok();
        assert_eq!(self.accepted.is_null(), self.kept.is_none());
        self.same(status, expected)
    }

    fn is_revoked(&mut self) -> signoff_status {
        let mut verdict = SIGNOFF_OK;
        // SAFETY: live handles or NULL, and a value that outlives the call.
        let status = unsafe { signoff_engine_is_revoked(self.engine, self.accepted, &mut verdict, &mut self.error) };
        let (Some(engine), Some(kept)) = (&self.mirror, &self.kept) else {
            assert_eq!(verdict, SIGNOFF_ERR_NOT_VERIFIED);
            return self.same(status, Status::Null);
        };
        match engine.is_revoked(kept) {
            Err(error) => self.same(status, error.status()),
            Ok(answer) => {
                // Freshness goes by this machine's clock here, which runs on between the two calls.
                let revoked = matches!(answer, RevocationStatus::Revoked { .. });
                assert_eq!(verdict == SIGNOFF_TOKEN_REVOKED, revoked);
                self.same(status, Status::Done)
            }
        }
    }

    fn screen(&mut self, bytes: &mut Bytes<'_>) -> signoff_status {
        let (token, (now, now_rust), mut cleared) = (self.token(bytes), times(NOW_MS), 99);
        // SAFETY: every pointer is to a value that outlives the call.
        let status = unsafe {
            let data = token.as_ptr().cast();
            signoff_engine_insecure_screen(self.engine, data, token.len(), &now, &mut cleared, &mut self.error)
        };
        assert_eq!(cleared == SIGNOFF_CLEARED_NOTHING, status != SIGNOFF_OK);
        let Some(engine) = &self.mirror else { return self.same(status, self.status_without_engine()) };
        let screened = engine.screen_at(VouchedToken::insecure_verified_elsewhere(&token), now_rust);
        self.same(status, screened.map_or_else(|denied| denied.status(), |_| Status::Done))
    }

    /// Goes on with another engine on the same log, and ends the first.
    fn move_to_another_engine(&mut self, bytes: &mut Bytes<'_>) -> signoff_status {
        let leeway = u64::from(bytes.next()) * 1500;
        let policy = signoff_policy { leeway_ms: leeway, ..sized() };
        let (mut keys, mut second) = (null_mut(), null_mut());
        // SAFETY: every pointer is to a value that outlives the call; the first engine is replaced where it is freed.
        let status = unsafe {
            let secret = SECRET.as_ptr().cast();
            assert_eq!(signoff_key_set_from_secret(1, secret, 64, 0, &mut keys, null_mut()), SIGNOFF_OK);
            let status = signoff_engine_on_same_log(self.engine, keys, &policy, &mut second, &mut self.error);
            signoff_key_set_free(keys);
            status
        };
        assert_eq!(second.is_null(), status != SIGNOFF_OK);
        let Some(engine) = &self.mirror else { return self.same(status, self.status_without_engine()) };
        let keys = KeySet::new([Key::hmac(Algorithm::Hs256, SECRET).unwrap()]).unwrap();
        match engine.on_same_log(keys, Policy::new().leeway(Duration::from_millis(leeway))) {
            Err(error) => self.same(status, error.status()),
            Ok(other) => {
                self.same(status, Status::Done);
                // SAFETY: made by the library, and replaced at once.
                unsafe { signoff_engine_free(self.engine) };
                (self.engine, self.mirror) = (second, Some(other));
                status
            }
        }
    }

    fn end(&mut self, bytes: &mut Bytes<'_>) -> signoff_status {
        match bytes.below(4) {
            0 => {
                // SAFETY: made by the library, and set to NULL once it is freed.
                unsafe { signoff_engine_free(self.engine) };
                (self.engine, self.mirror) = (null_mut(), None);
            }
            1 => {
                // SAFETY: as above.
                unsafe { signoff_accepted_free(self.accepted) };
                (self.accepted, self.kept) = (null_mut(), None);
            }
            _ => {
                let (now, now_rust) = times(NOW_MS);
                // SAFETY: a live handle or NULL, and values that outlive the call.
                let status = unsafe { signoff_engine_refresh(self.engine, &now, &mut self.error) };
                let Some(engine) = &self.mirror else { return self.same(status, self.status_without_engine()) };
                let expected = engine.refresh_at(now_rust).map_or_else(|error| error.status(), |()| Status::Done);
                return self.same(status, expected);
            }
        }
        0
    }

    fn free(mut self) {
        self.end(&mut Bytes(&[0]));
        self.end(&mut Bytes(&[1]));
    }
}
