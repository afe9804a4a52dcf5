//! Where functions begin by the unwind information of their file.

use gimli::UnwindContext;

use super::bytes::{Blocks, Bytes};
use super::image::Image;
use super::index::Index;

/// The beginnings of the functions of a file.
pub(crate) struct Beginnings {
    blocks: Blocks,
    image: Image,
    index: Index,
    context: Box<UnwindContext<usize>>,
}

impl Beginnings {
    /// Those of an ELF file; `None` where it has no unwind information.
    pub(crate) fn open(bytes: Box<dyn Bytes>) -> Option<Self> {
        let image = Image::parse(&*bytes)?;
        let index = Index::new(&image, &*bytes);
        (!index.is_empty()).then(|| Self {
            blocks: Blocks::new(bytes),
            image,
            index,
            context: Box::new(UnwindContext::new()),
        })
    }

    /// Where the function begins that has the byte at `address`.
    pub(crate) fn of(&mut self, address: u64) -> Option<u64> {
        let next = address.checked_add(1)?;
        let functions = self.index.around(&mut self.blocks, address, next);
        let function = functions.first().filter(|first| first.begin <= address)?;
        let described =
            self.index
                .describe(&mut self.blocks, &self.image, function, &mut self.context)?;
        (address < described.end).then_some(function.begin)
    }
}
