//! Unwind tables: against another reader of the same information, against each
//! other, and with files that lie.
mod go;
mod hostile;
mod reference;
mod ways;
