//! Finds the paths that a Rust source file refers to, leaving out code that is compiled only for tests.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Attribute, Field, ImplItem, Item, ItemMod, ItemUse, Macro, Meta, Path, Stmt, TraitItem, UseTree,
    punctuated::Punctuated,
    spanned::Spanned,
    visit::{self, Visit},
};

/// A path as it is used in a file. Its first segment is `crate` or the name of an external crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    pub line: usize,
    pub path: Vec<String>,
}

/// A `mod name;` whose code is in another file. Modules that are compiled only for tests are omitted.
#[derive(Debug)]
pub struct ModuleFile {
    /// The modules from the crate root to this one.
    pub module: Vec<String>,
    /// The value of `#[path = "…"]`.
    pub path: Option<String>,
}

/// What the checks need to know about one file.
#[derive(Debug, Default)]
pub struct ParsedFile {
    pub references: Vec<Reference>,
    pub module_files: Vec<ModuleFile>,
    /// Lines with an `unsafe` block, function, trait or impl.
    pub unsafe_lines: Vec<usize>,
}

/// Parses the file of a module, given as the path from the crate root (empty for the root itself).
pub fn parse(source: &str, module: &[String]) -> syn::Result<ParsedFile> {
    let file = syn::parse_file(source)?;
    let mut names = Names { module: module.to_vec(), ..Names::default() };
    names.visit_file(&file);
    let mut references = References { names: &names, module: module.to_vec(), parsed: ParsedFile::default() };
    references.visit_file(&file);
    let mut parsed = references.parsed;
    parsed.references.sort();
    parsed.references.dedup();
    Ok(parsed)
}

/// Returns whether an item with these attributes exists only in test builds.
fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute.parse_args::<Meta>().is_ok_and(|predicate| requires_test(&predicate)))
    })
}

/// Returns whether a `cfg` predicate holds only in test builds.
fn requires_test(predicate: &Meta) -> bool {
    let Meta::List(list) = predicate else { return predicate.path().is_ident("test") };
    let Ok(inner) = list.parse_args_with(Punctuated::<Meta, syn::Token![,]>::parse_terminated) else { return false };
    match list.path.get_ident().map(ToString::to_string).as_deref() {
        Some("all") => inner.iter().any(requires_test),
        Some("any") => !inner.is_empty() && inner.iter().all(requires_test),
        _ => false,
    }
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn impl_item_attributes(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Macro(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        _ => &[],
    }
}

fn trait_item_attributes(item: &TraitItem) -> &[Attribute] {
    match item {
        TraitItem::Const(item) => &item.attrs,
        TraitItem::Fn(item) => &item.attrs,
        TraitItem::Macro(item) => &item.attrs,
        TraitItem::Type(item) => &item.attrs,
        _ => &[],
    }
}

fn statement_attributes(statement: &Stmt) -> &[Attribute] {
    match statement {
        Stmt::Local(local) => &local.attrs,
        Stmt::Macro(call) => &call.attrs,
        Stmt::Item(_) | Stmt::Expr(..) => &[],
    }
}

/// Leaves out test code in every kind of syntax that can carry `#[cfg(test)]`.
macro_rules! skip_test_code {
    () => {
        fn visit_item(&mut self, item: &'ast Item) {
            if !is_test_only(item_attributes(item)) {
                visit::visit_item(self, item);
            }
        }

        fn visit_impl_item(&mut self, item: &'ast ImplItem) {
            if !is_test_only(impl_item_attributes(item)) {
                visit::visit_impl_item(self, item);
            }
        }

        fn visit_trait_item(&mut self, item: &'ast TraitItem) {
            if !is_test_only(trait_item_attributes(item)) {
                visit::visit_trait_item(self, item);
            }
        }

        fn visit_field(&mut self, field: &'ast Field) {
            if !is_test_only(&field.attrs) {
                visit::visit_field(self, field);
            }
        }

        fn visit_stmt(&mut self, statement: &'ast Stmt) {
            if !is_test_only(statement_attributes(statement)) {
                visit::visit_stmt(self, statement);
            }
        }
    };
}

/// The names that a file imports or declares as modules. Scopes within the file are not distinguished: a name that means
/// several things in different functions means all of them.
#[derive(Default)]
struct Names {
    module: Vec<String>,
    targets: BTreeMap<String, Vec<Vec<String>>>,
}

impl Names {
    /// Writes a path from the crate root or an external crate; a name with several meanings gives several paths.
    fn resolve(&self, module: &[String], path: &[String], is_global: bool) -> Vec<Vec<String>> {
        let root = || vec!["crate".to_owned()];
        let Some((first, rest)) = path.split_first().filter(|_| !is_global) else { return vec![path.to_vec()] };
        match first.as_str() {
            "crate" => vec![path.to_vec()],
            "self" => vec![[&root(), module, rest].concat()],
            "super" => {
                let levels = path.iter().take_while(|segment| *segment == "super").count();
                let parent = &module[..module.len().saturating_sub(levels)];
                vec![[&root(), parent, &path[levels..]].concat()]
            }
            name => match self.targets.get(name) {
                Some(targets) => targets.iter().map(|target| [target, rest].concat()).collect(),
                None => vec![path.to_vec()],
            },
        }
    }

    fn declare(&mut self, name: String, target: Vec<String>) {
        // `use diesel::diesel` would expand into itself.
        if target.first() != Some(&name) {
            let targets = self.targets.entry(name).or_default();
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Names {
    skip_test_code!();

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.to_string();
        self.declare(
            name.clone(),
            [&["crate".to_owned()], self.module.as_slice(), std::slice::from_ref(&name)].concat(),
        );
        self.module.push(name);
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for leaf in leaves(&item.tree) {
            for target in self.resolve(&self.module, &leaf.path, item.leading_colon.is_some()) {
                if let Some(name) = &leaf.name {
                    self.declare(name.clone(), target);
                }
            }
        }
    }
}

/// One imported path of a `use` declaration.
struct UseLeaf {
    path: Vec<String>,
    /// The name that it introduces; a glob introduces none that can be seen here.
    name: Option<String>,
    span: Span,
}

/// Writes a tree of imports as a list of paths.
fn leaves(tree: &UseTree) -> Vec<UseLeaf> {
    fn collect(tree: &UseTree, prefix: &[String], found: &mut Vec<UseLeaf>) {
        let mut add = |last: &syn::Ident, name: String| {
            let path = match last.to_string() {
                last if last == "self" => prefix.to_vec(),
                last => [prefix, &[last]].concat(),
            };
            let name = if name == "self" { prefix.last().cloned() } else { Some(name) };
            found.push(UseLeaf { path, name, span: last.span() });
        };
        match tree {
            UseTree::Path(path) => collect(&path.tree, &[prefix, &[path.ident.to_string()]].concat(), found),
            UseTree::Name(name) => add(&name.ident, name.ident.to_string()),
            UseTree::Rename(rename) => add(&rename.ident, rename.rename.to_string()),
            UseTree::Glob(glob) => {
                found.push(UseLeaf { path: prefix.to_vec(), name: None, span: glob.star_token.span() });
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    collect(tree, prefix, found);
                }
            }
        }
    }
    let mut found = Vec::new();
    collect(tree, &[], &mut found);
    found
}

struct References<'n> {
    names: &'n Names,
    module: Vec<String>,
    parsed: ParsedFile,
}

impl References<'_> {
    fn add(&mut self, path: &[String], is_global: bool, span: Span) {
        for path in self.names.resolve(&self.module, path, is_global) {
            self.parsed.references.push(Reference { line: span.start().line, path });
        }
    }

    fn add_tree(&mut self, tree: &UseTree, is_global: bool) {
        for leaf in leaves(tree) {
            self.add(&leaf.path, is_global, leaf.span);
        }
    }

    /// Finds paths in the arguments of macros and attributes, which are not parsed as Rust.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(first) => {
                    let mut path = vec![first.to_string()];
                    at += 1;
                    while is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1)) {
                        match tokens.get(at + 2) {
                            Some(TokenTree::Ident(next)) => {
                                path.push(next.to_string());
                                at += 3;
                            }
                            // `use crate::{db, http}` in the body of a macro.
                            Some(TokenTree::Group(group)) => {
                                if let Ok(tree) = syn::parse2::<UseTree>(TokenTree::Group(group.clone()).into()) {
                                    for leaf in leaves(&tree) {
                                        self.add(&[path.as_slice(), &leaf.path].concat(), false, leaf.span);
                                    }
                                }
                                at += 2;
                                break;
                            }
                            _ => {
                                at += 2;
                                break;
                            }
                        }
                    }
                    if path.len() > 1 {
                        self.add(&path, false, first.span());
                    }
                }
                TokenTree::Group(group) => {
                    self.scan(group.stream());
                    at += 1;
                }
                TokenTree::Literal(_) | TokenTree::Punct(_) => at += 1,
            }
        }
    }
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

impl<'ast> Visit<'ast> for References<'_> {
    skip_test_code!();

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        if item.content.is_none() {
            let path = item.attrs.iter().filter(|attribute| attribute.path().is_ident("path")).find_map(string_value);
            self.parsed.module_files.push(ModuleFile { module: self.module.clone(), path });
        }
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&item.tree, item.leading_colon.is_some());
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.add(&[item.ident.to_string()], true, item.ident.span());
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let is_global = path.leading_colon.is_some();
        // A single segment is a local name, unless it was imported: then the import has been added.
        if segments.len() > 1 || is_global {
            self.add(&segments, is_global, path.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.scan(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            Meta::List(list) => {
                self.visit_path(&list.path);
                self.scan(list.tokens.clone());
                for literal in string_literals(list.tokens.clone()) {
                    // `#[serde(with = "crate::…")]` names a path in a string.
                    if let Ok(path) = literal.parse::<Path>() {
                        self.visit_path(&path);
                    }
                }
            }
            Meta::Path(path) => self.visit_path(path),
            Meta::NameValue(_) => {}
        }
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.parsed.unsafe_lines.push(block.unsafe_token.span().start().line);
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.parsed.unsafe_lines.extend(signature.unsafety.map(|token| token.span().start().line));
        visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.parsed.unsafe_lines.extend(item.unsafety.map(|token| token.span().start().line));
        visit::visit_item_impl(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.parsed.unsafe_lines.extend(item.unsafety.map(|token| token.span().start().line));
        visit::visit_item_trait(self, item);
    }
}

/// Returns the value of an attribute such as `#[path = "…"]`.
fn string_value(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(literal) = &pair.value else { return None };
    let syn::Lit::Str(text) = &literal.lit else { return None };
    Some(text.value())
}

fn string_literals(tokens: TokenStream) -> Vec<syn::LitStr> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Literal(literal) => syn::parse2(TokenTree::Literal(literal).into()).into_iter().collect(),
            TokenTree::Group(group) => string_literals(group.stream()),
            TokenTree::Ident(_) | TokenTree::Punct(_) => Vec::new(),
        })
        .collect()
}
