//! What is mapped in the target's processes: address spaces, and the files
//! behind them.

pub(super) mod identity;
pub mod objects;
mod remapped;
pub mod space;
pub mod spaces;
pub(super) mod vdso;

pub use objects::Objects;
pub use space::{AddressSpace, Location};
pub use spaces::Spaces;
