//! The calls of bpf(2) that load programs and make maps. Aya has them, but its loader
//! parses the types of all structures of the kernel, also where nothing needs them. That
//! takes 20 MB, and more time than everything else.
#![expect(unsafe_code, reason = "a raw system call")]

mod call;
mod map;
mod program;

pub(super) use map::{
    ARRAY, MMAPABLE, MapShape, Types, create_array, create_filled, create_map, freeze, set_fd,
    set_u32,
};
pub(super) use program::{
    Code, DebugInfo, INSTRUCTION, attach, instruction, load_btf, load_program, run, verifier_log,
};
