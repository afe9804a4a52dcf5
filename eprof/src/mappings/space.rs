//! Where code lies in the address space of one process.

use std::sync::Arc;

use crate::measurement::ObjectId;

/// What lies at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// Code of a mapped file.
    File {
        /// The file.
        object: ObjectId,
        /// Offset in the file.
        offset: u64,
    },
    /// Executable memory without a file: code made at run time.
    Anonymous,
    /// No executable mapping that is known.
    Unmapped,
}

/// The executable mappings of one process image.
///
/// An unmapping is not reported by the kernel, so that a mapping stays until
/// a newer one overlaps it: the newer one always wins. Copies share their
/// content until one of them changes, which makes a fork cheap.
#[derive(Clone, Debug, Default)]
pub struct AddressSpace {
    /// Disjoint, ascending.
    regions: Arc<Vec<Region>>,
    /// The files that were ever mapped, ascending: far fewer than mappings.
    objects: Arc<Vec<ObjectId>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Region {
    start: u64,
    end: u64,
    /// Offset in the file of `start`.
    offset: u64,
    object: Option<ObjectId>,
}

impl Region {
    /// The part of the region from `start` on.
    fn from(self, start: u64) -> Self {
        Self {
            start,
            offset: self.offset.wrapping_add(start - self.start),
            ..self
        }
    }

    /// The part of the region before `end`.
    fn until(self, end: u64) -> Self {
        Self { end, ..self }
    }
}

impl AddressSpace {
    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Maps `object` (`None`: memory without a file) from `start` to before
    /// `end`, with the byte at `offset` of the file at `start`. An empty range
    /// changes nothing.
    pub fn map(&mut self, start: u64, end: u64, offset: u64, object: Option<ObjectId>) {
        if start < end {
            self.insert(Region {
                start,
                end,
                offset,
                object,
            });
        }
    }

    fn insert(&mut self, new: Region) {
        if let Some(object) = new.object
            && let Err(place) = self.objects.binary_search(&object)
        {
            Arc::make_mut(&mut self.objects).insert(place, object);
        }
        let regions = Arc::make_mut(&mut self.regions);
        let first = regions.partition_point(|region| region.end <= new.start);
        let last = regions.partition_point(|region| region.start < new.end);
        let hidden = regions.get(first..last).unwrap_or_default();
        let left = hidden
            .first()
            .filter(|region| region.start < new.start)
            .map(|region| region.until(new.start));
        let right = hidden
            .last()
            .filter(|region| region.end > new.end)
            .map(|region| region.from(new.end));
        let pieces = left.into_iter().chain([new]).chain(right);
        regions.splice(first..last, pieces);
    }

    /// Lays every mapping of `newer` over this space.
    pub fn overlay(&mut self, newer: &Self) {
        for &region in newer.regions.iter() {
            self.insert(region);
        }
    }

    /// Tells two address spaces apart: the same for copies as long as none of
    /// them changes, and as long as one of them is kept.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.regions) as usize
    }

    /// All mappings, ascending: first address, one past the last, and the
    /// file and the offset in it, where there is one.
    pub(crate) fn regions(&self) -> impl Iterator<Item = (u64, u64, Option<(ObjectId, u64)>)> + '_ {
        self.regions.iter().map(|region| {
            let code = region.object.map(|object| (object, region.offset));
            (region.start, region.end, code)
        })
    }

    /// Whether anything is mapped between two addresses.
    pub(super) fn overlaps(&self, start: u64, end: u64) -> bool {
        let next = self.regions.partition_point(|region| region.end <= start);
        let region = self.regions.get(next);
        region.is_some_and(|region| region.start < end)
    }

    /// What of files is mapped between two addresses: first address, one past the
    /// last, the file, and the offset in it.
    pub(super) fn files_in(
        &self,
        start: u64,
        end: u64,
    ) -> impl Iterator<Item = (u64, u64, ObjectId, u64)> + '_ {
        let first = self.regions.partition_point(|region| region.end <= start);
        let rest = self.regions.get(first..).unwrap_or_default().iter();
        let inside = rest.take_while(move |region| region.start < end);
        inside.filter_map(move |region| {
            let piece = region
                .from(region.start.max(start))
                .until(region.end.min(end));
            Some((piece.start, piece.end, piece.object?, piece.offset))
        })
    }

    /// The files of which there is code, and of which there was.
    pub(crate) fn objects(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.objects.iter().copied()
    }

    /// What lies at `address`.
    pub fn locate(&self, address: u64) -> Location {
        let next = self.regions.partition_point(|region| region.end <= address);
        match self.regions.get(next) {
            Some(region) if region.start <= address => match region.object {
                Some(object) => Location::File {
                    object,
                    offset: region.from(address).offset,
                },
                None => Location::Anonymous,
            },
            _ => Location::Unmapped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(object: u32, offset: u64) -> Location {
        Location::File {
            object: ObjectId(object),
            offset,
        }
    }

    #[test]
    fn a_newer_mapping_cuts_a_hole_into_an_older_one() {
        let mut space = AddressSpace::default();
        space.map(100, 200, 1000, Some(ObjectId(0)));
        space.map(120, 140, 0, Some(ObjectId(1)));
        assert_eq!(space.locate(99), Location::Unmapped);
        assert_eq!(space.locate(100), file(0, 1000));
        assert_eq!(space.locate(119), file(0, 1019));
        assert_eq!(space.locate(120), file(1, 0));
        assert_eq!(space.locate(139), file(1, 19));
        assert_eq!(space.locate(140), file(0, 1040));
        assert_eq!(space.locate(200), Location::Unmapped);
    }

    #[test]
    fn a_copy_does_not_see_what_is_mapped_later() {
        let mut parent = AddressSpace::default();
        parent.map(0, 10, 0, Some(ObjectId(0)));
        let child = parent.clone();
        parent.map(0, 10, 0, Some(ObjectId(1)));
        assert_eq!(child.locate(5), file(0, 5));
        assert_eq!(parent.locate(5), file(1, 5));
    }

    proptest! {
        /// The independent truth is one cell per address, painted over.
        #[test]
        fn any_mappings_locate_as_if_each_address_were_painted(
            maps in prop::collection::vec(
                (0_u64..64, 0_u64..32, 0_u64..1000, prop::option::of(0_u32..4)),
                0..24,
            ),
            split in 0_usize..24,
        ) {
            let mut painted = [Location::Unmapped; 96];
            let mut space = AddressSpace::default();
            let mut newer = AddressSpace::default();
            for (n, &(start, len, offset, object)) in maps.iter().enumerate() {
                for address in start..start + len {
                    painted[address as usize] = match object {
                        Some(object) => file(object, offset + address - start),
                        None => Location::Anonymous,
                    };
                }
                // What comes after `split` is laid over as a whole at the end.
                let part = if n < split { &mut space } else { &mut newer };
                part.map(start, start + len, offset, object.map(ObjectId));
            }
            space.overlay(&newer);
            for (address, &expected) in painted.iter().enumerate() {
                prop_assert_eq!(space.locate(address as u64), expected);
            }
            let regions = &space.regions;
            prop_assert!(regions.iter().all(|region| region.start < region.end));
            prop_assert!(regions.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }

        #[test]
        fn the_ends_of_the_address_range_do_not_overflow(
            start in any::<u64>(), end in any::<u64>(), offset in any::<u64>(),
            cut in any::<(u64, u64)>(), address in any::<u64>(),
        ) {
            let mut space = AddressSpace::default();
            space.map(start, end, offset, Some(ObjectId(0)));
            space.map(cut.0, cut.1, 0, None);
            let expected = if (cut.0..cut.1).contains(&address) {
                Location::Anonymous
            } else if (start..end).contains(&address) {
                file(0, offset.wrapping_add(address - start))
            } else {
                Location::Unmapped
            };
            prop_assert_eq!(space.locate(address), expected);
        }
    }
}
