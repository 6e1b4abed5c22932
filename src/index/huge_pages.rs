//! A long run of plain numbers: in huge pages where the system has them, and its room given back at once.
//!
//! A lookup touches a few places far apart. In pages of 4 KiB each of them costs a walk through the page
//! tables beside the load itself, which made a third of what looking up a revoked token takes. And an
//! allocator that is handed runs of some megabytes keeps what they leave behind for later; a map goes
//! back to the system.

use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
use memmap2::MmapMut;

pub(super) enum HugeVec<T> {
    Heap(Box<[T]>),
    /// The numbers stand at the start of the map.
    Mapped {
        map: MmapMut,
        len: usize,
    },
}

/// From how many bytes on a run is mapped: where common allocators ask the system themselves.
const MAPPED_MIN: usize = 128 << 10;

/// From how many bytes on huge pages are asked for: below, there is hardly a whole one in it.
#[cfg(target_os = "linux")]
const HUGE_MIN: usize = 4 << 20;

impl<T: Pod> HugeVec<T> {
    pub(super) fn zeroed(len: usize) -> Self {
        let bytes = len.saturating_mul(size_of::<T>());
        if bytes < MAPPED_MIN {
            return Self::Heap(vec![T::zeroed(); len].into());
        }
        match MmapMut::map_anon(bytes) {
            Ok(map) => {
                #[cfg(target_os = "linux")]
                if bytes >= HUGE_MIN {
                    // Small pages do as well, only slower.
                    let _advice = map.advise(memmap2::Advice::HugePage);
                }
                Self::Mapped { map, len }
            }
            // Without a map of its own it is the allocator's.
            Err(_) => Self::Heap(vec![T::zeroed(); len].into()),
        }
    }

    /// The first `len` of them.
    fn truncated(self, len: usize) -> Self {
        match self {
            Self::Heap(values) if len < values.len() => Self::Heap(values[..len].into()),
            Self::Heap(values) => Self::Heap(values),
            // What was never written takes no room.
            Self::Mapped { map, .. } => Self::Mapped { map, len },
        }
    }
}

impl<T: Pod> Deref for HugeVec<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        match self {
            Self::Heap(values) => values,
            Self::Mapped { map, len } => bytemuck::cast_slice(&map[..len * size_of::<T>()]),
        }
    }
}

impl<T: Pod> DerefMut for HugeVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::Heap(values) => values,
            Self::Mapped { map, len } => bytemuck::cast_slice_mut(&mut map[..*len * size_of::<T>()]),
        }
    }
}

/// A run that is being written, and grows.
pub(super) struct Draft<T> {
    room: HugeVec<T>,
    len: usize,
}

impl<T: Pod> Draft<T> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { room: HugeVec::zeroed(capacity), len: 0 }
    }

    pub(super) fn push(&mut self, value: T) {
        if self.len == self.room.len() {
            let mut room = HugeVec::zeroed((2 * self.len).max(64));
            room[..self.len].copy_from_slice(self);
            self.room = room;
        }
        self.room[self.len] = value;
        self.len += 1;
    }

    pub(super) fn extend_from_slice(&mut self, values: &[T]) {
        values.iter().for_each(|value| self.push(*value));
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.room[..self.len].get_mut(at)
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut T> {
        self.room[..self.len].last_mut()
    }

    pub(super) fn finish(self) -> HugeVec<T> {
        self.room.truncated(self.len)
    }
}

impl<T: Pod> Default for Draft<T> {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl<T: Pod> Deref for Draft<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.room[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_reads_as_it_was_written_wherever_it_lies() {
        for len in [0_u32, 1, 1000, 40_000, 3_000_000] {
            for capacity in [0, len as usize, len as usize + 100_000] {
                let mut draft = Draft::with_capacity(capacity);
                (0..len).for_each(|value| draft.push(value));
                let run = draft.finish();
                assert!(run.iter().copied().eq(0..len), "{len} in {capacity}");
            }
        }
        assert!(matches!(HugeVec::<u32>::zeroed(1000), HugeVec::Heap(_)));
        assert!(matches!(HugeVec::<u32>::zeroed(100_000), HugeVec::Mapped { len: 100_000, .. }));
    }
}
