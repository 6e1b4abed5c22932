//! The bytes that end or interrupt a JSON string, found 64 at a time.
//!
//! Knows no grammar: it says where the next such byte is, and the reader what to make of it.

use wide::u8x16;

/// Finds the bytes that do not simply stand for themselves in a string: quotes, backslashes and
/// control characters. Looks at a block of 64 bytes once, and keeps a bit for each of its bytes.
pub(super) struct StringEnds {
    /// The block that `bits` is of, as its number in the text; at first none.
    block: usize,
    bits: u64,
}

const BLOCK: usize = 64;

impl StringEnds {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { block: usize::MAX, bits: 0 }
    }

    /// The first special byte at or after `at`; or the end of the text.
    #[inline(always)]
    pub(super) fn at_or_after(&mut self, text: &[u8], mut at: usize) -> usize {
        loop {
            if at / BLOCK != self.block {
                if at >= text.len() {
                    return text.len();
                }
                self.load(text, at / BLOCK);
            }
            let rest = self.bits >> (at % BLOCK);
            if rest != 0 {
                return at + rest.trailing_zeros() as usize;
            }
            at = (at / BLOCK + 1) * BLOCK;
        }
    }

    #[inline]
    fn load(&mut self, text: &[u8], block: usize) {
        let start = block * BLOCK;
        self.block = block;
        self.bits = match (text[start..].first_chunk(), text.last_chunk()) {
            (Some(whole), _) => special_bytes(whole),
            // The last bytes of a text are looked at together with some before them.
            (None, Some(last)) => special_bytes(last) >> (BLOCK - (text.len() - start)),
            (None, None) => {
                let mut padded = [b' '; BLOCK];
                padded[..text.len()].copy_from_slice(text);
                special_bytes(&padded)
            }
        }
    }
}

/// A bit for each byte of the block that does not stand for itself.
#[inline(always)]
fn special_bytes(block: &[u8; BLOCK]) -> u64 {
    let (sixteens, _) = block.as_chunks::<16>();
    sixteens.iter().rev().fold(0, |bits, sixteen| {
        let bytes = u8x16::new(*sixteen);
        // With its second bit flipped a quote is 0x20, right above the control characters, which stay below.
        let flipped = bytes ^ u8x16::splat(0x02);
        let quotes_and_controls = flipped.min(u8x16::splat(0x20)).simd_eq(flipped);
        let specials = quotes_and_controls | bytes.simd_eq(u8x16::splat(b'\\'));
        bits << 16 | u64::from(specials.to_bitmask())
    })
}

#[cfg(test)]
mod tests {
    use super::StringEnds;
    use proptest::prelude::*;

    fn obvious(text: &[u8], at: usize) -> usize {
        let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < b' ';
        text[at..].iter().position(special).map_or(text.len(), |ahead| at + ahead)
    }

    #[test]
    fn every_byte_is_told_apart_at_every_place_around_the_end_of_a_block() {
        for byte in 0..=255 {
            for len in [1, 15, 63, 64, 65, 127, 128, 130] {
                for at in [0, len / 2, len - 1] {
                    let mut text = vec![b'x'; len];
                    text[at] = byte;
                    assert_eq!(StringEnds::new().at_or_after(&text, 0), obvious(&text, 0), "{byte} at {at} of {len}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_next_special_byte_is_the_obvious_one(text in proptest::collection::vec(prop_oneof![9 => b'!'..=255_u8, 1 => any::<u8>()], 0..300), places in proptest::collection::vec(any::<prop::sample::Index>(), 1..8)) {
            let mut specials = StringEnds::new();
            for place in places {
                let at = place.index(text.len() + 1);
                prop_assert_eq!(specials.at_or_after(&text, at), obvious(&text, at));
            }
        }
    }
}
