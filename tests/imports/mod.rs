//! Which file of a crate imports which, read from its sources.
//!
//! A `mod.rs` is a folder's front: it declares and hands on what its files have, and they may name what it has. So it is looked
//! through, to the file that has an item, and neither imports nor is imported itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The modules of a crate by their paths, as in `index::segment`; the root's is empty.
pub struct Modules(BTreeMap<String, Module>);

struct Module {
    is_front: bool,
    code: String,
    /// Every path that the code imports, groups taken apart.
    used: Vec<String>,
}

impl Modules {
    pub fn read(src: &Path) -> Self {
        let mut modules = BTreeMap::new();
        read_folder(src, "", &mut modules);
        Self(modules)
    }

    /// For each file that is no front, the others that it imports from.
    pub fn edges(&self) -> BTreeMap<String, BTreeSet<String>> {
        let files = self.0.iter().filter(|(_, module)| !module.is_front);
        files.map(|(path, module)| (path.clone(), self.imported(path, module))).collect()
    }

    fn imported(&self, path: &str, module: &Module) -> BTreeSet<String> {
        let mut imported = BTreeSet::new();
        for used in module.used.iter().cloned().chain(paths_in(&module.code)) {
            let Some(absolute) = self.absolute(path, &used) else { continue };
            let file = self.file_of(&absolute, 8);
            if file != path && self.0.get(&file).is_some_and(|module| !module.is_front) {
                imported.insert(file);
            }
        }
        imported
    }

    /// A path from the crate's root, or nothing where it starts with another crate or an item.
    fn absolute(&self, module: &str, path: &str) -> Option<Vec<String>> {
        let mut here: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
        let mut parts = path.split("::").map(str::trim).peekable();
        match *parts.peek()? {
            "crate" => {
                here.clear();
                parts.next();
            }
            "self" | "super" => {
                while let Some(first @ ("self" | "super")) = parts.peek().copied() {
                    if first == "super" {
                        here.pop();
                    }
                    parts.next();
                }
            }
            first if self.0.contains_key(&joined(&here, first)) => {}
            _ => return None,
        }
        Some(here.into_iter().chain(parts).map(str::to_owned).collect())
    }

    /// The file that has what a path means, through what fronts hand on.
    fn file_of(&self, path: &[String], fronts: u32) -> String {
        let deepest = (0..=path.len()).rev().find(|end| self.0.contains_key(&path[..*end].join("::"))).unwrap_or(0);
        let module = path[..deepest].join("::");
        let (Some(item), Some(front)) = (path.get(deepest), self.0.get(&module)) else { return module };
        if !front.is_front || fronts == 0 {
            return module;
        }
        let handed_on = front.used.iter().find(|used| used.rsplit("::").next().map(str::trim) == Some(item));
        match handed_on.and_then(|used| self.absolute(&module, used)) {
            Some(further) if further != path => self.file_of(&further, fronts - 1),
            _ => module,
        }
    }
}

fn joined(here: &[&str], name: &str) -> String {
    here.iter().copied().chain([name]).collect::<Vec<_>>().join("::")
}

fn read_folder(folder: &Path, path: &str, modules: &mut BTreeMap<String, Module>) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let parent: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
        if file.is_dir() {
            // The command line is a crate of its own.
            if name != "bin" {
                read_folder(&file, &joined(&parent, &name), modules);
            }
            continue;
        }
        if file.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let is_front = matches!(name.as_str(), "mod" | "lib" | "main");
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n");
        let used = uses_in(&code);
        let module = if is_front { path.to_owned() } else { joined(&parent, &name) };
        modules.insert(module, Module { is_front, code, used });
    }
}

fn uses_in(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let starts_a_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"');
        if let (true, Some(end)) = (starts_a_word, code[at..].find(';')) {
            take_apart("", &code[at + 4..at + end], &mut used);
        }
    }
    used
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn take_apart(front: &str, tree: &str, used: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((path, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap().trim();
        return used.push(format!("{front}{path}"));
    };
    let front = format!("{front}{}", path.trim());
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[start..at].trim().is_empty() {
                    take_apart(&front, &group[start..at], used);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Paths that the code names where it needs them: whole words with `::` between.
fn paths_in(code: &str) -> impl Iterator<Item = String> + '_ {
    let words = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    words
        .filter(|word| word.contains("::") && !word.starts_with("::"))
        .map(|word| word.trim_end_matches(':').to_owned())
}
