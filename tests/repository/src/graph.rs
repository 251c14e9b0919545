use std::collections::{BTreeMap, BTreeSet};

use syn::visit::Visit;

use crate::Source;

/// Which module of a crate names which, each by its path from the crate's root.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// The crate's graph. A module that only declares or re-exports a child does not name it: what counts is code.
///
/// A path is followed to the deepest module that it names, so `super::x` from a child is the parent only if `x` is
/// defined there.
pub fn graph(sources: &[Source]) -> Graph {
    let modules: BTreeSet<String> = sources.iter().map(|source| module_of(&source.name)).collect();
    let reexports = reexports(sources, &modules);
    let mut graph = Graph::new();
    for source in sources {
        let module = module_of(&source.name);
        let mut paths = Paths { inside: 0, found: Vec::new() };
        paths.visit_file(&source.file);
        let used = paths.found.iter().filter_map(|path| target(&module, path, &modules, &reexports));
        let used: BTreeSet<String> = used.filter(|other| *other != module).collect();
        graph.entry(module).or_default().extend(used);
    }
    graph
}

/// Groups of modules that name each other in a circle.
pub fn cycles(sources: &[Source]) -> Vec<Vec<String>> {
    let graph = graph(sources);
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|module| (module, reachable(module, &graph))).collect();
    let mut groups = BTreeSet::new();
    for (module, seen) in &reach {
        let group: Vec<String> = seen
            .iter()
            .filter(|other| reach.get(*other).is_some_and(|back| back.contains(module)))
            .map(|other| (*other).clone())
            .collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

fn reachable<'g>(from: &'g String, graph: &'g Graph) -> BTreeSet<&'g String> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        for other in graph.get(module).into_iter().flatten() {
            if seen.insert(other) {
                next.push(other);
            }
        }
    }
    seen
}

/// The module of a file; the crate's root is empty.
fn module_of(name: &str) -> String {
    let name = name.trim_end_matches(".rs").trim_end_matches("/mod");
    if matches!(name, "lib" | "main" | "mod") { String::new() } else { name.replace('/', "::") }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

fn parent(module: &str) -> String {
    module.rsplit_once("::").map_or(String::new(), |(parent, _)| parent.to_owned())
}

/// What a module offers of its children's: `(module, name)` to the child that has it.
fn reexports(sources: &[Source], modules: &BTreeSet<String>) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for source in sources {
        let module = module_of(&source.name);
        for item in &source.file.items {
            let syn::Item::Use(item) = item else { continue };
            let mut paths = Vec::new();
            expand(&item.tree, &mut Vec::new(), &mut paths);
            for (path, name) in paths {
                if let Some(child) = deepest(&module, &path, modules).filter(|child| *child != module) {
                    found.insert((module.clone(), name), child);
                }
            }
        }
    }
    found
}

/// The module in which what a path names is defined; `None` for what is not in this crate.
fn target(
    module: &str,
    path: &[String],
    modules: &BTreeSet<String>,
    reexports: &BTreeMap<(String, String), String>,
) -> Option<String> {
    let mut found = deepest(module, path, modules)?;
    let last = path.iter().rev().find(|part| *part != "self")?;
    for _ in 0..4 {
        match reexports.get(&(found.clone(), last.clone())) {
            Some(child) if *child != found => found.clone_from(child),
            _ => break,
        }
    }
    Some(found)
}

/// The deepest module on a path that starts at `crate`, `self`, `super` or a child.
fn deepest(module: &str, path: &[String], modules: &BTreeSet<String>) -> Option<String> {
    let mut parts = path.iter();
    let mut at = match path.first()?.as_str() {
        "crate" => {
            parts.next();
            String::new()
        }
        "self" => {
            parts.next();
            module.to_owned()
        }
        "super" => module.to_owned(),
        first if modules.contains(&join(module, first)) => module.to_owned(),
        _ => return None,
    };
    let mut rest = parts.peekable();
    while rest.next_if(|part| *part == "super").is_some() {
        at = parent(&at);
    }
    for part in rest {
        let next = join(&at, part);
        if !modules.contains(&next) {
            break;
        }
        at = next;
    }
    Some(at)
}

/// Each path of a tree of imports, with the name by which it is known afterwards.
fn expand(tree: &syn::UseTree, prefix: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    match tree {
        syn::UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            expand(&path.tree, prefix, found);
            prefix.pop();
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| expand(item, prefix, found)),
        syn::UseTree::Name(name) => found.push(with(prefix, &name.ident, &name.ident)),
        syn::UseTree::Rename(rename) => found.push(with(prefix, &rename.ident, &rename.rename)),
        syn::UseTree::Glob(_) => found.push((prefix.clone(), "*".to_owned())),
    }
}

fn with(prefix: &[String], last: &syn::Ident, name: &syn::Ident) -> (Vec<String>, String) {
    let mut path = prefix.to_vec();
    path.push(last.to_string());
    (path, name.to_string())
}

/// All paths in code.
struct Paths {
    /// How many inline modules this is in.
    inside: usize,
    found: Vec<Vec<String>>,
}

impl Paths {
    /// Inside an inline module the first `super` is the file's own module.
    fn add(&mut self, mut path: Vec<String>) {
        let supers = path.iter().take(self.inside).take_while(|part| *part == "super").count();
        if supers > 0 {
            path.splice(..supers, ["self".to_owned()]);
        }
        self.found.push(path);
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // A re-export is the child's own interface, not a use of it.
        if !matches!(item.vis, syn::Visibility::Inherited) {
            return;
        }
        let mut paths = Vec::new();
        expand(&item.tree, &mut Vec::new(), &mut paths);
        paths.into_iter().for_each(|(path, _)| self.add(path));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.inside += 1;
        syn::visit::visit_item_mod(self, module);
        self.inside -= 1;
    }
}
