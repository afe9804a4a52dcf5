//! The clock of one register.
