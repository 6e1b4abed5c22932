//! Numbers, as they are written. RFC 8259 section 6.

use wide::u8x16;

use super::cost_limit::Effort;
use super::{Reader, run_of};
use crate::denied::JsonFault;
use crate::limits::NUMBER_MAGNITUDE_MAX;

impl<E: Effort> Reader<'_, E> {
    /// RFC 8259 section 6.
    #[inline(always)]
    pub(super) fn number(&mut self, start: usize) -> Option<usize> {
        // Ten digits and no more, as times have.
        if let Some(&[b'1'..=b'9', ref eight @ .., last, next]) =
            self.text.as_bytes().get(start..).and_then(|rest| rest.first_chunk::<11>())
            && eight_digits(eight)
            && last.is_ascii_digit()
            && matches!(next, b',' | b'}' | b']')
        {
            return Some(start + 10);
        }
        // One digit and no more.
        if let Some([b'0'..=b'9', b',' | b'}' | b']']) =
            self.text.as_bytes().get(start..).and_then(|rest| rest.first_chunk::<2>())
        {
            return Some(start + 1);
        }
        self.any_number(start)
    }

    #[inline]
    fn any_number(&mut self, start: usize) -> Option<usize> {
        self.spend(4)?;
        let whole = start + usize::from(self.peek(start) == b'-');
        let mut at = self.digits(whole)?;
        let mut magnitude = i64::try_from(at - whole).unwrap_or(i64::MAX);
        if self.peek(whole) == b'0' && magnitude > 1 {
            return self.not_json(whole + 1);
        }
        if self.peek(at) == b'.' {
            at = self.digits(at + 1)?;
        }
        if matches!(self.peek(at), b'e' | b'E') {
            let negative = self.peek(at + 1) == b'-';
            let digits = at + 1 + usize::from(matches!(self.peek(at + 1), b'-' | b'+'));
            at = self.digits(digits)?;
            let exponent = exponent(&self.text.as_bytes()[digits..at]);
            magnitude = magnitude.saturating_add(if negative { -exponent } else { exponent });
        }
        // The digits before the point and the exponent bound the value from above.
        match magnitude > NUMBER_MAGNITUDE_MAX {
            true => self.fault(JsonFault::NumberOutOfRange { at: start }),
            false => Some(at),
        }
    }

    /// One digit or more.
    #[inline(always)]
    fn digits(&mut self, start: usize) -> Option<usize> {
        match (self.peek(start).is_ascii_digit(), self.peek(start + 1).is_ascii_digit()) {
            (true, false) => Some(start + 1),
            (true, true) => Some(self.digits_to_the_last(start + 2)),
            (false, _) => self.not_json(start),
        }
    }

    fn digits_to_the_last(&self, start: usize) -> usize {
        let mut at = start;
        while self.peek(at).is_ascii_digit() {
            at += 1;
            if at - start == 24 {
                return at + self.many_digits(at);
            }
        }
        at
    }

    /// How many digits follow, where there are more than readers tell apart.
    #[cold]
    fn many_digits(&self, at: usize) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        run_of(rest, |bytes| (bytes - u8x16::splat(b'0')).min(u8x16::splat(9)).simd_eq(bytes - u8x16::splat(b'0')))
    }
}

/// What an exponent's digits say, as far as an `i64` goes: more only make it larger still.
fn exponent(digits: &[u8]) -> i64 {
    let zeros = if digits[0] == b'0' { run_of(digits, |bytes| bytes.simd_eq(u8x16::splat(b'0'))) } else { 0 };
    // A text with so many digits that they don't fit into an i64 has none as long to make up for it.
    let significant = &digits[zeros..];
    if significant.len() > 18 {
        return i64::MAX;
    }
    significant.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

/// Whether all eight are digits: high halves of 3, and low halves that stay below 10.
#[inline(always)]
pub(crate) fn eight_digits(eight: &[u8; 8]) -> bool {
    let word = u64::from_le_bytes(*eight);
    let carried = word.wrapping_add(0x0606_0606_0606_0606);
    (word & 0xf0f0_f0f0_f0f0_f0f0) == 0x3030_3030_3030_3030
        && (carried & 0xf0f0_f0f0_f0f0_f0f0) == 0x3030_3030_3030_3030
}
