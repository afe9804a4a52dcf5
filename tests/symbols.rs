//! Mappings, addresses and names of real programs. The programs print the
//! addresses of their own functions: that is the truth to be found again.
mod child;
mod compiled;
mod debug_files;
mod generated;
mod go;
mod hostile;
mod identity;
mod kernel;
mod mappings;
#[cfg(target_arch = "x86_64")]
mod narrow;
mod old_forms;
mod programs;
mod run;
mod runtimes;
mod sampled;
mod servers;
mod target;
mod told_apart;
