use std::{
    fs,
    path::{Path, PathBuf},
};

/// One file of a crate's `src`.
pub struct Source {
    /// Path below `src`.
    pub name: String,
    /// The file's text.
    pub text: String,
    /// The product's part: without items that only tests have.
    pub file: syn::File,
}

/// Folders of the crates, by what ships and what only tests use.
pub fn crates() -> Vec<(String, PathBuf)> {
    let root = programs::repository();
    let mut found = vec![("network-vhostuser-binding".to_owned(), root.clone())];
    let mut names: Vec<_> =
        fs::read_dir(root.join("crates")).expect("crates").flatten().map(|entry| entry.path()).collect();
    names.sort();
    found.extend(names.into_iter().map(|path| {
        let name = path.file_name().expect("a folder has a name").to_string_lossy().into_owned();
        (name, path)
    }));
    found
}

/// A crate's product sources: unit tests in files of their own are left out.
pub fn sources(folder: &Path) -> Vec<Source> {
    let root = folder.join("src");
    let mut paths = Vec::new();
    list(&root, &mut paths);
    let names = paths.into_iter().map(|path| {
        let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
        (name, path)
    });
    let sources: Vec<_> = names.map(|(name, path)| read(name, &path)).collect();
    let test_only = test_modules(&sources);
    let mut product: Vec<_> =
        sources.into_iter().filter(|source| !is_below(&source.name, &test_only)).collect();
    for source in &mut product {
        source.file.items.retain(|item| !is_test(item));
    }
    product
}

fn read(name: String, path: &Path) -> Source {
    let text = fs::read_to_string(path).expect("a source can be read");
    let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Source { name, text, file }
}

fn list(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            list(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
}

/// Paths (without `.rs`) of the modules that are declared under `#[cfg(test)]`.
fn test_modules(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let folder = module_folder(&source.name);
        for item in &source.file.items {
            if let syn::Item::Mod(module) = item
                && module.content.is_none()
                && is_test(item)
            {
                found.push(format!("{folder}{}", module.ident));
            }
        }
    }
    found
}

/// Where the files of a file's child modules are.
fn module_folder(name: &str) -> String {
    let name = name.trim_end_matches(".rs");
    match name.rsplit_once('/') {
        _ if matches!(name, "lib" | "main") => String::new(),
        Some((folder, "mod")) => format!("{folder}/"),
        _ => format!("{name}/"),
    }
}

fn is_below(name: &str, modules: &[String]) -> bool {
    let name = name.trim_end_matches(".rs");
    modules.iter().any(|module| name == module || name.starts_with(&format!("{module}/")))
}

/// Whether an item is compiled for tests only.
fn is_test(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string() == "test")
    })
}

/// Whether only tests use a crate.
pub fn is_for_tests(name: &str) -> bool {
    name == "programs" || name.ends_with("-sim")
}
