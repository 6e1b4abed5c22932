//! Payloads that were seen before, so that JavaScript need not parse them again.
//!
//! Says nothing about a token: each is verified each time, in full. Only that a payload, byte for byte, is the one of
//! which JavaScript has made an object before. A slot is learned when a token comes for the second time in a row of those
//! that fall to it, so that tokens that come once cost nothing.

/// How many payloads are remembered: the number of users whose next request finds theirs. About 100 KiB.
const SLOTS: u32 = 256;

/// After so many, a slot keeps what it has. A number must fit into 32 bits.
const VERSION_MAX: u32 = (1 << 24) - 1;

/// Longer payloads are parsed each time.
const PAYLOAD_BYTES_MAX: usize = 1024;

pub(crate) enum Seen {
    /// It is remembered, under a number that no other payload of this memo ever has: the slot in the lowest eight bits, and
    /// above them how many payloads were learned there.
    Known(u32),
    Not,
}

/// Which payload a slot has: told with each answer, so that an object which JavaScript made of an earlier payload is
/// never handed out for a later one, whatever kept it from noticing the change.
#[derive(Clone, Default)]
struct Slot {
    /// From the signature of the token that fell here last.
    last: u64,
    /// Counts the payloads that were learned here.
    version: u32,
    payload: Option<Box<str>>,
}

#[derive(Default)]
pub(crate) struct Memo {
    slots: Vec<Slot>,
}

impl Memo {
    /// Looks a payload up by the signature at the end of its token, which is as good as random.
    #[inline]
    pub(crate) fn see(&mut self, token: &[u8], payload: &str) -> Seen {
        let Some(tail) = token.last_chunk::<12>().and_then(|tail| tail.first_chunk::<8>()) else { return Seen::Not };
        if self.slots.is_empty() {
            self.slots.resize(SLOTS as usize, Slot::default());
        }
        let tail = u64::from_le_bytes(*tail);
        let at = (tail.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u32;
        let slot = &mut self.slots[at as usize];
        if slot.payload.as_deref() == Some(payload) {
            return Seen::Known(at | slot.version << 8);
        }
        let is_full = slot.version == VERSION_MAX;
        if std::mem::replace(&mut slot.last, tail) != tail || payload.len() > PAYLOAD_BYTES_MAX || is_full {
            return Seen::Not;
        }
        slot.payload = Some(payload.into());
        slot.version += 1;
        Seen::Known(at | slot.version << 8)
    }

    /// The payload of a slot.
    pub(crate) fn payload(&self, at: u32) -> Option<&str> {
        self.slots.get((at % SLOTS) as usize)?.payload.as_deref()
    }
}

const _: () = assert!(SLOTS == 1 << 8, "the upper byte says which");
