#!/bin/sh
# Builds the kernel programs: build.sh OBJECT [LLVM-BIN-DIRECTORY]
#
# Writes OBJECT and, beside it, OBJECT without `.o` plus `.toml`, which names
# the tools. The same tools give the same bytes, in whatever directory:
# paths are remapped, and address space randomisation is switched off where
# that is allowed, because the order of the BTF types depends on addresses.
#
# Needs a Rust tool chain with rust-src (EPROF_BPF_TOOLCHAIN, default
# `stable`; unstable features of a stable compiler are used), bpf-linker 0.13
# and llvm-strip.
set -eu

object=${1:?usage: build.sh OBJECT [LLVM-BIN-DIRECTORY]}
case $object in /*) ;; *) object=$PWD/$object ;; esac
source=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$source/.." && pwd -P)
toolchain=${EPROF_BPF_TOOLCHAIN:-stable}
target=${EPROF_BPF_TARGET_DIR:-$source/target}
stage=$target/stage
cargo_home=${CARGO_HOME:-$HOME/.cargo}

strip=${2:+$2/llvm-strip}
for candidate in "$strip" llvm-strip-22 llvm-strip /usr/lib/llvm-22/bin/llvm-strip; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1; then
        strip=$candidate
        break
    fi
done

# cargo's own variables, set while building another package, would leak in.
unset CARGO_ENCODED_RUSTFLAGS RUSTC RUSTC_WORKSPACE_WRAPPER RUSTC_WRAPPER RUSTDOC \
    RUSTUP_TOOLCHAIN CARGO_BUILD_TARGET CARGO_MAKEFLAGS MAKEFLAGS || true
export RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="$target"
sysroot=$(rustc "+$toolchain" --print sysroot)
# These replace the flags of .cargo/config.toml and repeat them.
export RUSTFLAGS="-C debuginfo=2 -C link-arg=--btf -C target-cpu=v3 \
--remap-path-prefix=$stage=/eprof --remap-path-prefix=$sysroot=/rust \
--remap-path-prefix=$cargo_home=/cargo"

# Names of functions contain a hash of where their package lies, relative to the
# workspace if it is inside it: so both packages are laid into one.
rm -rf "$stage"
mkdir -p "$stage/common"
cp -R "$source/src" "$source/.cargo" "$source/Cargo.lock" "$stage"
cp -R "$root/common/src" "$stage/common"
sed 's|path = "../common"|path = "common"|' "$source/Cargo.toml" >"$stage/Cargo.toml"
cat >"$stage/common/Cargo.toml" <<END
[package]
name = "eprof-common"
version = "$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)"
edition = "2024"
END

still=
if setarch -R true 2>/dev/null; then
    still="setarch -R"
fi
cd "$stage"
$still cargo "+$toolchain" build --release --locked --quiet
built=$target/bpfel-unknown-none/release/eprof
mkdir -p "$(dirname "$object")"
"$strip" -g -o "$object" "$built"

sum=$(sha256sum "$object" | cut -d ' ' -f 1)
cat >"${object%.o}.toml" <<END
# Written by eprof-ebpf/build.sh: what the object was built with.
sha256 = "$sum"
rustc = "$(rustc "+$toolchain" --version)"
llvm = "$(rustc "+$toolchain" -vV | sed -n 's/^LLVM version: //p')"
bpf-linker = "$(bpf-linker --version)"
strip = "$("$strip" --version | sed -n 's/.*LLVM version //p')"
END
