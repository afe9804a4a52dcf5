//! The maps of the object, created, and its programs, connected to them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::rc::Rc;

use aya_obj::generated::bpf_map_type as kind;
use aya_obj::{EbpfSectionKind, Map};
use tracing::debug;

use super::program::Program;
use crate::error::{Error, ErrorKind, Result};
use crate::host::elevation;
use crate::kernel::bpf;
use crate::kernel::bpf::{MapShape, Types};
use crate::kernel::refusal::{refusal, refused_program};
use crate::kernel::verifier_log::VerifierLog;

/// What the object is to become.
#[derive(Debug, Default)]
pub(in crate::kernel) struct Wanted<'a> {
    /// The number of elements of maps, by name.
    pub(in crate::kernel) entries: HashMap<&'a str, u32>,
    /// The values of constants, by name.
    pub(in crate::kernel) constants: HashMap<&'a str, Vec<u8>>,
}

/// Maps and programs of an object. Dropping them detaches the programs.
pub(in crate::kernel) struct Linked {
    maps: HashMap<String, OwnedFd>,
    programs: HashMap<String, Program>,
    verifier_log: Option<VerifierLog>,
}

impl Linked {
    /// Creates the maps of the object `bytes`, and connects its programs to them.
    /// None is loaded yet. What the verifier says of those that it refuses goes to
    /// `verifier_log`.
    ///
    /// # Errors
    /// Where the object is malformed, or the kernel refuses a map.
    pub(in crate::kernel) fn new(
        bytes: &[u8],
        wanted: &Wanted<'_>,
        cpus: u32,
        verifier_log: Option<VerifierLog>,
    ) -> Result<Self> {
        let mut object = aya_obj::Object::parse(bytes).map_err(|error| malformed(&error))?;
        let constants = wanted.constants.iter();
        let constants = constants.map(|(name, value)| (*name, (value.as_slice(), true)));
        object
            .patch_map_data(constants.collect())
            .map_err(|error| malformed(&error))?;
        if object.has_btf_relocations() {
            return Err(Error::new(
                ErrorKind::Data,
                "the kernel object wants to be fitted to the kernel's structures, \
                 which its loader does not do",
            ));
        }
        // Asked for the first time, it tries things out.
        let features = {
            let _raised = elevation::raised(elevation::KERNEL);
            aya::features()
        };
        let types = match features.btf() {
            Some(features) => object
                .fixup_and_sanitize_btf(features)
                .map_err(|error| malformed(&error))?
                .map(|btf| bpf::load_btf(&btf.to_bytes()))
                .transpose()
                .map_err(|error| refusal("load the types", &error))?
                .map(Rc::new),
            None => None,
        };
        // In one order: which is refused first decides what is said.
        let mut declared: Vec<(String, Map)> = object.maps.drain().collect();
        declared.sort_by(|a, b| a.0.cmp(&b.0));
        let mut maps = HashMap::new();
        for (name, map) in &declared {
            let entries = wanted.entries.get(name.as_str()).copied();
            let entries = entries.unwrap_or(match map.map_type() {
                // One element for each CPU.
                EVENTS if map.max_entries() == 0 => cpus,
                _ => map.max_entries(),
            });
            let map = create(name, map, entries, types.as_deref())
                .map_err(|error| refusal(&format!("create the map {name}"), &error))?;
            maps.insert(name.clone(), map);
        }
        let text: HashSet<usize> = object
            .functions
            .keys()
            .map(|(section, _)| *section)
            .collect();
        let created = declared.iter().filter_map(|(name, map)| {
            let fd = maps.get(name)?.as_raw_fd();
            Some((name.as_str(), fd, map))
        });
        object
            .relocate_maps(created, &text)
            .map_err(|error| malformed(&error))?;
        object
            .relocate_calls(&text)
            .map_err(|error| malformed(&error))?;
        let mut programs = HashMap::new();
        for (name, program) in &object.programs {
            if let Some(function) = object.functions.remove(&program.function_key()) {
                let program = Program::new(name, program, function, types.clone());
                programs.insert(name.clone(), program);
            }
        }
        Ok(Self {
            maps,
            programs,
            verifier_log,
        })
    }

    /// The descriptor of a map.
    pub(in crate::kernel) fn map(&self, name: &str) -> Result<BorrowedFd<'_>> {
        let map = self.maps.get(name).map(|map| map.as_fd());
        map.ok_or_else(|| missing("map", name))
    }

    /// A program.
    pub(in crate::kernel) fn program(&self, name: &str) -> Result<&Program> {
        self.programs
            .get(name)
            .ok_or_else(|| missing("program", name))
    }

    /// Hands a program over to the kernel. `attach_type_id` is the number of the
    /// kernel's type of what it will be attached to, zero for a program that does
    /// not need one.
    ///
    /// # Errors
    /// Where the object has no such program, or the kernel refuses it.
    pub(in crate::kernel) fn load(&mut self, name: &str, attach_type_id: u32) -> Result<()> {
        let loaded = self.program_mut(name)?.load(attach_type_id);
        debug!(
            program = name,
            accepted = loaded.is_ok(),
            "loaded a program"
        );
        loaded.map_err(|refused| refused_program(name, &refused, self.verifier_log.as_ref()))
    }

    /// A program, to be attached.
    pub(in crate::kernel) fn program_mut(&mut self, name: &str) -> Result<&mut Program> {
        self.programs
            .get_mut(name)
            .ok_or_else(|| missing("program", name))
    }

    /// All programs with their names.
    pub(in crate::kernel) fn programs(&self) -> impl Iterator<Item = (&str, &Program)> {
        let programs = self.programs.iter();
        programs.map(|(name, program)| (name.as_str(), program))
    }
}

/// Types of maps, of `enum bpf_map_type`.
const EVENTS: u32 = kind::BPF_MAP_TYPE_PERF_EVENT_ARRAY as u32;
const RING: u32 = kind::BPF_MAP_TYPE_RINGBUF as u32;
const MAPS: u32 = kind::BPF_MAP_TYPE_ARRAY_OF_MAPS as u32;

fn create(name: &str, map: &Map, entries: u32, types: Option<&OwnedFd>) -> io::Result<OwnedFd> {
    let inner = map.inner();
    let inner = inner.map(|inner| create(name, &inner, inner.max_entries(), types));
    let inner = inner.transpose()?;
    let typed = match (map, map.map_type()) {
        // The kernel wants no types of these.
        (_, EVENTS | RING | MAPS) | (Map::Legacy(_), _) => None,
        (Map::Btf(map), _) => types.map(|types| Types {
            btf: types.as_fd(),
            key: map.def.btf_key_type_id,
            value: map.def.btf_value_type_id,
        }),
    };
    let shape = MapShape {
        map_type: map.map_type(),
        key_size: map.key_size(),
        value_size: match map.map_type() {
            RING => 0,
            _ => map.value_size(),
        },
        entries,
        flags: map.map_flags(),
        inner: inner.as_ref().map(|inner| inner.as_fd()),
        types: typed,
    };
    let created = match map.data() {
        [] => bpf::create_map(name, &shape)?,
        data => bpf::create_filled(name, &shape, data)?,
    };
    if map.section_kind() == EbpfSectionKind::Rodata {
        bpf::freeze(created.as_fd())?;
    }
    Ok(created)
}

fn malformed(error: &(dyn std::error::Error + 'static)) -> Error {
    Error::new(
        ErrorKind::Data,
        format!("the kernel object cannot be used: {error}"),
    )
}

fn missing(what: &str, name: &str) -> Error {
    Error::new(
        ErrorKind::Data,
        format!("the kernel object has no {what} {name}"),
    )
}
