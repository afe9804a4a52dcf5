//! Unwind tables: the form in which user space gives `.eh_frame` to the
//! sampling program.
//!
//! ```text
//! Slot::space ─► REGIONS  what is mapped where, ascending
//!                   │ page of the object's code (64 KiB each)
//!                   ▼
//!                PAGES ─► CHUNKS  rows: from this address on, this rule
//!                                   │
//!                                   ▼
//!                                RULES    how to find the caller
//! ```

/// A page of code has `1 << PAGE_BITS` bytes, so that a row needs only these
/// bits of an address.
pub const PAGE_BITS: u32 = 16;

/// Rows of one chunk. The rows of a page lie in one chunk.
pub const CHUNK_ROWS: usize = 1 << 18;

/// Most chunks: with four bytes a row, 128 MiB. `librustc_driver` and LLVM
/// together would have ten.
pub const MAX_CHUNKS: usize = 128;

/// Most pages of code: 4 GiB.
pub const MAX_PAGES: usize = 1 << 16;

/// Most different rules. A row has 16 bits for the number of its rule;
/// `librustc_driver` and LLVM together have about 1200.
pub const MAX_RULES: usize = 1 << 14;

/// Most regions of all processes of the target together.
pub const MAX_REGIONS: usize = 1 << 15;

/// A search in as many regions takes so many steps: the most of one process
/// is `1 << REGION_STEPS`, less one.
pub const REGION_STEPS: u32 = 12;

/// A block of rows. A row has the low half of an address (relative to its object's code)
/// in its low half, and the number of a rule in its high half. The rule holds from this
/// address up to that of the next row. The first row of a page is at the page's first
/// byte.
#[repr(C, align(8))]
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The rows.
    pub rows: [u32; CHUNK_ROWS],
}

/// The rows of one page: those of chunk `from / CHUNK_ROWS` from
/// `from % CHUNK_ROWS` on, as many as `rows` says.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Number of the first row.
    pub from: u32,
    /// How many; zero where the page has no unwind information at all,
    /// [`Page::UNKNOWN`] where it is not compiled yet.
    pub rows: u32,
}

impl Page {
    /// The number of rows of a page that is not compiled yet.
    pub const UNKNOWN: u32 = u32::MAX;

    /// A page that is not compiled yet: the stack is to be copied.
    pub const PENDING: Self = Self {
        from: 0,
        rows: Self::UNKNOWN,
    };

    /// As one word, for it changes while it is being read.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.from as u64 | (self.rows as u64) << 32
    }

    /// Of a word.
    #[inline(always)]
    pub const fn of(word: u64) -> Self {
        Self {
            from: word as u32,
            rows: (word >> 32) as u32,
        }
    }
}

/// What is mapped between two addresses of a process.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// First address.
    pub begin: u64,
    /// One past the last address.
    pub end: u64,
    /// The address at which the first page of the object's code would lie.
    pub bias: u64,
    /// The object's first page in `PAGES`; without pages, what it is instead:
    /// [`Region::NO_TABLE`] or [`Region::PENDING`].
    pub page: u32,
    /// How many pages the object has; zero for none.
    pub pages: u32,
}

impl Region {
    /// Code without unwind information, such as that of a run-time compiler:
    /// frame pointers may help.
    pub const NO_TABLE: u32 = 0;
    /// Code whose file is not opened yet: the stack is to be copied.
    pub const PENDING: u32 = 1;
}

/// How the regions of a process are called in [`crate::Slot::space`]: the
/// number of the first one in the high half, how many in the low half. Zero
/// for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Space(pub u64);

impl Space {
    /// `count` regions from `first` on.
    #[inline(always)]
    pub const fn new(first: u32, count: u32) -> Self {
        Self((first as u64) << 32 | count as u64)
    }

    /// The number of the first region.
    #[inline(always)]
    pub const fn first(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// How many regions.
    #[inline(always)]
    pub const fn count(self) -> u32 {
        self.0 as u32
    }
}

const _: () = assert!(size_of::<Page>() == 8 && size_of::<Region>() == 32);
const _: () = assert!(size_of::<Chunk>() == 4 * CHUNK_ROWS);
const _: () = assert!(MAX_CHUNKS * CHUNK_ROWS <= u32::MAX as usize);
