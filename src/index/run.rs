//! A long run of plain numbers that is written once: in huge pages where the system has them.
//!
//! A lookup touches a few places far apart. In pages of 4 KiB each of them costs a walk through the page
//! tables beside the load itself, which made a third of what looking up a revoked token takes.

use std::ops::Deref;

use bytemuck::Pod;
use memmap2::MmapMut;

pub(super) enum Run<T> {
    Heap(Box<[T]>),
    Mapped(MmapMut),
}

/// From how many bytes on a run is mapped: below, there is no whole huge page in it.
const MAPPED_MIN: usize = 4 << 20;

impl<T: Pod> From<Vec<T>> for Run<T> {
    fn from(values: Vec<T>) -> Self {
        let bytes: &[u8] = bytemuck::cast_slice(&values);
        if bytes.len() < MAPPED_MIN {
            return Self::Heap(values.into());
        }
        // Without memory of its own kind it stays where it is.
        let Ok(mut map) = MmapMut::map_anon(bytes.len()) else { return Self::Heap(values.into()) };
        #[cfg(target_os = "linux")]
        // Small pages do as well, only slower.
        let _advice = map.advise(memmap2::Advice::HugePage);
        map.copy_from_slice(bytes);
        Self::Mapped(map)
    }
}

impl<T: Pod> Deref for Run<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        match self {
            Self::Heap(values) => values,
            Self::Mapped(map) => bytemuck::cast_slice(map),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_reads_as_it_was_written_wherever_it_lies() {
        for len in [0_u32, 1, 1000, 3_000_000] {
            let values: Vec<u32> = (0..len).collect();
            let run = Run::from(values.clone());
            assert!(*run == *values);
            assert_eq!(matches!(run, Run::Mapped(_)), len == 3_000_000);
        }
    }
}
