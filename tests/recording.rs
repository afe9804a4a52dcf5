//! `eprof.data`: what is written is read back, damage costs no more than it
//! must, and no input whatever makes a reader panic, hang or allocate wildly.

mod arbitrary;
mod capture;
mod damage;
mod file;
mod gaps;
mod golden;
mod hostile;
mod round_trip;
mod rules;
mod sample;
mod stranger;
mod text;
