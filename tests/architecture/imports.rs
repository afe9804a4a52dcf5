//! Which file imports which: `use` declarations and paths in code, without
//! tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};

type Segments = Vec<String>;

/// The crate that kernel and user space share, a room like others.
pub(crate) const COMMON: &str = "common";

/// The modules of a crate, a file each, and what they import.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    files: BTreeMap<String, BTreeSet<String>>,
}

impl Imports {
    /// Reads the crate whose `lib.rs` is in `src`.
    pub(crate) fn read(src: &Path) -> Self {
        let mut modules = BTreeMap::new();
        collect(src, &mut Vec::new(), &mut modules);
        let crate_ = Crate::new(&modules);
        let files = modules.keys().map(|module| {
            let mut imported = crate_.imports_of(module, &modules[module]);
            imported.remove(module);
            let names = imported.iter().map(|module| module.join("/"));
            (module.join("/"), names.collect())
        });
        Self {
            files: files.collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn files(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.files
    }

    pub(crate) fn rooms(&self) -> BTreeSet<String> {
        self.files
            .keys()
            .map(|file| room(file).to_owned())
            .collect()
    }

    pub(crate) fn of_room(&self, of: &str) -> BTreeSet<String> {
        let files = self.files.iter().filter(|(file, _)| room(file) == of);
        let rooms = files.flat_map(|(_, imports)| imports.iter().map(|file| room(file)));
        rooms
            .filter(|room| *room != of)
            .map(str::to_owned)
            .collect()
    }

    /// A file of the room `from` that imports one of `to`.
    pub(crate) fn example(&self, from: &str, to: &str) -> String {
        let mut files = self.files.iter().filter(|(file, _)| room(file) == from);
        let imports = |(file, imports): (&String, &BTreeSet<String>)| {
            let import = imports.iter().find(|import| room(import) == to)?;
            Some(format!("{file} → {import}"))
        };
        files.find_map(imports).unwrap_or_default()
    }
}

fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file)
}

fn collect(directory: &Path, module: &mut Segments, into: &mut BTreeMap<Segments, syn::File>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            module.push(stem);
            collect(&path, module, into);
            module.pop();
        } else if path.extension().is_some_and(|of| of == "rs") && !is_test(&stem) {
            let mut name = module.clone();
            if !matches!(stem.as_str(), "mod" | "lib" | "main") {
                name.push(stem);
            }
            let text = std::fs::read_to_string(&path).unwrap();
            if !name.is_empty() {
                into.insert(name, syn::parse_file(&text).unwrap());
            }
        }
    }
}

fn is_test(stem: &str) -> bool {
    stem == "tests" || stem.ends_with("_tests")
}

/// What names mean: modules, and items that a module re-exports.
struct Crate {
    modules: BTreeSet<Segments>,
    reexports: BTreeMap<(Segments, String), Segments>,
}

impl Crate {
    fn new(modules: &BTreeMap<Segments, syn::File>) -> Self {
        let mut this = Self {
            modules: modules.keys().cloned().collect(),
            reexports: BTreeMap::new(),
        };
        for (module, file) in modules {
            for item in &file.items {
                if let syn::Item::Use(item) = item
                    && !matches!(item.vis, syn::Visibility::Inherited)
                {
                    for (path, name) in leaves(&item.tree) {
                        if let Some(path) = this.absolute(&path, module) {
                            this.reexports.insert((module.clone(), name), path);
                        }
                    }
                }
            }
        }
        this
    }

    fn imports_of(&self, module: &Segments, file: &syn::File) -> BTreeSet<Segments> {
        let mut paths = Paths::default();
        paths.visit_file(file);
        let named: BTreeMap<String, Segments> = paths
            .uses
            .iter()
            .filter_map(|(path, name)| Some((name.clone(), self.absolute(path, module)?)))
            .collect();
        let used = paths.uses.iter().map(|(path, _)| path);
        let used = used.filter_map(|path| self.absolute(path, module));
        let written = paths.paths.iter().filter_map(|path| {
            let (first, rest) = path.split_first()?;
            match named.get(first) {
                Some(base) => Some([base.as_slice(), rest].concat()),
                None => self.absolute(path, module),
            }
        });
        let mut homes: BTreeSet<Segments> = used
            .chain(written)
            .filter_map(|path| self.home(&path, 0))
            .collect();
        let all = paths.uses.iter().map(|(path, _)| path).chain(&paths.paths);
        if all
            .filter_map(|path| path.first())
            .any(|first| first == "eprof_common")
        {
            homes.insert(vec![COMMON.to_owned()]);
        }
        homes
    }

    /// `path` from the root of the crate; `None` for one that leads elsewhere.
    fn absolute(&self, path: &[String], module: &Segments) -> Option<Segments> {
        let mut base = module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (Vec::new(), path.get(1..)?),
            "self" => rest = path.get(1..)?,
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    base.pop();
                    rest = rest.get(1..)?;
                }
            }
            first => {
                let child = [module.as_slice(), &[first.to_owned()]].concat();
                if !self.modules.contains(&child) {
                    return None;
                }
            }
        }
        Some([base.as_slice(), rest].concat())
    }

    /// The module in which what `path` names is declared.
    fn home(&self, path: &[String], depth: usize) -> Option<Segments> {
        let mut module = Vec::new();
        for (at, segment) in path.iter().enumerate() {
            let child = [module.as_slice(), std::slice::from_ref(segment)].concat();
            if self.modules.contains(&child) {
                module = child;
            } else if let Some(target) = self.reexports.get(&(module.clone(), segment.clone()))
                && depth < 8
            {
                let rest = path.get(at + 1..).unwrap_or_default();
                return self.home(&[target.as_slice(), rest].concat(), depth + 1);
            } else {
                break;
            }
        }
        (!module.is_empty()).then_some(module)
    }
}

/// Paths of a `use`, each with the name that it gets.
fn leaves(tree: &syn::UseTree) -> Vec<(Segments, String)> {
    match tree {
        syn::UseTree::Path(path) => {
            let ident = path.ident.to_string();
            let leaves = leaves(&path.tree).into_iter();
            let leaves = leaves.map(|(rest, name)| {
                let name = if name == "self" { ident.clone() } else { name };
                ([vec![ident.clone()], rest].concat(), name)
            });
            leaves.collect()
        }
        syn::UseTree::Name(name) if name.ident == "self" => vec![(Vec::new(), "self".to_owned())],
        syn::UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        syn::UseTree::Rename(name) => vec![(vec![name.ident.to_string()], name.rename.to_string())],
        syn::UseTree::Glob(_) => vec![(Vec::new(), "*".to_owned())],
        syn::UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

/// All paths of a file.
#[derive(Default)]
struct Paths {
    uses: Vec<(Segments, String)>,
    paths: Vec<Segments>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !module.attrs.iter().any(is_cfg_test) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // A re-export leads to where the item is, which its users import.
        if matches!(item.vis, syn::Visibility::Inherited) && !item.attrs.iter().any(is_cfg_test) {
            self.uses.extend(leaves(&item.tree));
        }
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // Who may see an item is no import.
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        self.paths.push(segments.collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        // What a macro is given is no syntax tree: its paths are found as text.
        let text = mac.tokens.to_string().replace(" :: ", "::");
        let words = text.split(|of: char| !(of.is_alphanumeric() || of == '_' || of == ':'));
        let paths = words.filter(|word| word.contains("::"));
        self.paths
            .extend(paths.map(|path| path.split("::").map(str::to_owned).collect()));
        visit::visit_macro(self, mac);
    }
}

fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Ident>()
            .is_ok_and(|argument| argument == "test")
}
