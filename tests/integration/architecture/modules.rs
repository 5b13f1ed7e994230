//! Reads a crate from its root, following `mod` declarations as the compiler does outside test builds.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::references::{ModuleFile, ParsedFile, parse};

/// A source file of the crate and the module that it contains.
pub struct SourceFile {
    pub path: PathBuf,
    /// The modules from the crate root to this one.
    pub module: Vec<String>,
    pub parsed: ParsedFile,
}

impl SourceFile {
    /// Returns the module below the crate root that this file belongs to.
    pub fn top_level_module(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }
}

/// Returns every file that a non-test build of the crate compiles.
pub fn read_crate(root: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    read(root.to_owned(), Vec::new(), &mut files);
    files
}

fn read(path: PathBuf, module: Vec<String>, files: &mut Vec<SourceFile>) {
    let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let parsed = parse(&source, &module).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let children: Vec<(PathBuf, Vec<String>)> =
        parsed.module_files.iter().map(|child| (locate(&path, &module, child), child.module.clone())).collect();
    files.push(SourceFile { path, module, parsed });
    for (path, module) in children {
        read(path, module, files);
    }
}

/// Returns the file of a module that is declared in `parent`.
fn locate(parent: &Path, parent_module: &[String], child: &ModuleFile) -> PathBuf {
    let folder = parent.parent().unwrap();
    if let Some(path) = &child.path {
        return folder.join(path);
    }
    let is_folder_root = ["main.rs", "lib.rs", "mod.rs"].iter().any(|name| parent.ends_with(name));
    let mut folder = if is_folder_root { folder.to_owned() } else { parent.with_extension("") };
    let (name, inline_modules) = child.module[parent_module.len()..].split_last().unwrap();
    folder.extend(inline_modules);
    let file = folder.join(format!("{name}.rs"));
    if file.exists() { file } else { folder.join(name).join("mod.rs") }
}
