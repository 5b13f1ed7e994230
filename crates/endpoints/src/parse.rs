//! Parses a trait into its operations, or reports all errors in it.

use std::collections::HashMap;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, FnArg, ItemTrait, LitStr, Pat, PatIdent, PatType, Receiver, ReturnType, Signature, Token, TraitItem,
    TraitItemFn, Visibility,
    parse::{ParseStream, Parser},
};

use crate::{
    args::Args,
    attrs::{self, Call, Route},
    errors::{Errors, at},
};

/// One method of the trait.
pub(crate) struct Operation<'a> {
    /// Operation ID.
    pub(crate) id: LitStr,
    /// HTTP method in upper case.
    pub(crate) http_method: String,
    /// Path template with the prefix: `/widgets/{widget_id}`.
    pub(crate) path: String,
    /// Calls in `#[operation(…)]`.
    pub(crate) calls: Vec<Call>,
    /// The method as written.
    pub(crate) method: &'a TraitItemFn,
    /// The `&self` of the method.
    pub(crate) receiver: &'a Receiver,
    /// Parameters without the receiver.
    pub(crate) parameters: Vec<Parameter<'a>>,
}

/// One parameter of a method.
pub(crate) struct Parameter<'a> {
    /// Name of the parameter.
    pub(crate) name: &'a Ident,
    /// The parameter with its attributes and type.
    pub(crate) typed: &'a PatType,
}

/// Parses the item with the attribute, which must be a trait.
pub(crate) fn item_trait(tokens: TokenStream) -> syn::Result<ItemTrait> {
    (|input: ParseStream<'_>| {
        let ahead = input.fork();
        ahead.call(Attribute::parse_outer)?;
        ahead.parse::<Visibility>()?;
        let is_trait = ahead.peek(Token![trait])
            || (ahead.peek(Token![unsafe]) && ahead.peek2(Token![trait]))
            || ahead.peek(Token![auto]);
        if !is_trait {
            return Err(ahead.error("`#[endpoints]` must be on a trait whose methods are operations"));
        }
        input.parse()
    })
    .parse2(tokens)
}

/// Parses the operations of a trait. Without `args` (they were invalid), skips the checks that need them.
pub(crate) fn operations<'a>(item: &'a ItemTrait, args: Option<&Args>, errors: &mut Errors) -> Vec<Operation<'a>> {
    check_trait(item, errors);
    let prefix_path = args.map_or("", |args| args.prefix_path.as_str());
    let mut operations: Vec<Operation<'a>> = Vec::new();
    for trait_item in &item.items {
        match trait_item {
            TraitItem::Fn(method) => {
                if args.is_some_and(|args| args.operation.is_none()) {
                    check_operation_type(method, errors);
                }
                operations.extend(operation(method, prefix_path, errors));
            }
            TraitItem::Type(other) => errors
                .push(at(&other.ident, "an endpoint trait cannot have associated types: use the type in the methods")),
            TraitItem::Const(other) => errors.push(at(
                &other.ident,
                "an endpoint trait cannot have associated constants: declare it outside the trait",
            )),
            other => errors.push(at(other, "an endpoint trait can only have `async fn` methods")),
        }
    }
    check_unique(&operations, errors);
    operations
}

fn check_trait(item: &ItemTrait, errors: &mut Errors) {
    if let Some(keyword) = &item.unsafety {
        errors.push(at(keyword, "an endpoint trait cannot be `unsafe`"));
    }
    if let Some(keyword) = &item.auto_token {
        errors.push(at(keyword, "an endpoint trait cannot be an `auto` trait"));
    }
    if let Some(clause) = generics(&item.generics) {
        let message = "an endpoint trait cannot be generic: the document needs concrete types";
        errors.push(at(clause, message));
    }
    if item.items.is_empty() {
        errors.push(at(&item.ident, "an endpoint trait needs at least one operation"));
    }
}

/// Reports `#[operation(…)]` if `#[endpoints]` does not name the type that it builds.
fn check_operation_type(method: &TraitItemFn, errors: &mut Errors) {
    for attr in method.attrs.iter().filter(|attr| attrs::is_operation(attr)) {
        let message = "`#[operation(…)]` needs a type to build: \
                       add `operation = \"Operation\"` to `#[endpoints(…)]`";
        errors.push(at(attr, message));
    }
}

fn check_unique(operations: &[Operation<'_>], errors: &mut Errors) {
    let mut seen = HashMap::new();
    for operation in operations {
        let id = operation.id.value();
        let name = &operation.method.sig.ident;
        if let Some(first) = seen.get(&id) {
            let message = format!("`{id}` is already the operation_id of `{first}`");
            errors.push(at(&operation.id, message));
        } else {
            seen.insert(id, name);
        }
    }
}

/// Parses one method. Returns `None` if it has errors.
fn operation<'a>(method: &'a TraitItemFn, prefix_path: &str, errors: &mut Errors) -> Option<Operation<'a>> {
    check_signature(&method.sig, errors);
    if !method.attrs.iter().any(attrs::is_documentation) {
        let message = "an operation needs a doc comment: the first paragraph is published \
                       as the summary, the rest as the description";
        errors.push(at(&method.sig.ident, message));
    }
    check_cfg(&method.attrs, errors);
    if let Some(body) = &method.default {
        let message = "an operation cannot have a default body: implement it in an implementation of the trait";
        errors.push(syn::Error::new(body.brace_token.span.join(), message));
    }
    let receiver = receiver(&method.sig, errors);
    let parameters = parameters(&method.sig, errors);
    let route = attrs::route(method, errors);
    let calls = attrs::calls(method, errors);
    let Route { operation_id: id, method: http_method, path } = route?;
    let path = template(prefix_path, &path);
    Some(Operation { id, http_method, path, calls, method, receiver: receiver?, parameters })
}

/// Joins prefix and path, and converts poem's `:name` and `:name<regex>` to `{name}`.
fn template(prefix_path: &str, path: &str) -> String {
    let segments = prefix_path.split('/').chain(path.split('/')).filter(|segment| !segment.is_empty());
    let segments = segments.map(|segment| match segment.strip_prefix(':') {
        Some(name) => format!("/{{{}}}", name.split('<').next().unwrap_or(name)),
        None => format!("/{segment}"),
    });
    let template: String = segments.collect();
    if template.is_empty() { "/".to_owned() } else { template }
}

fn check_signature(sig: &Signature, errors: &mut Errors) {
    if sig.asyncness.is_none() {
        errors.push(at(sig.fn_token, "an operation must be an `async fn`"));
    }
    if let Some(keyword) = &sig.unsafety {
        errors.push(at(keyword, "an operation cannot be `unsafe`"));
    }
    if let Some(abi) = &sig.abi {
        errors.push(at(abi, "an operation cannot be `extern`"));
    }
    if let Some(clause) = generics(&sig.generics) {
        let message = "an operation cannot be generic: the document needs concrete types";
        errors.push(at(clause, message));
    }
    match &sig.output {
        ReturnType::Default => {
            errors.push(at(&sig.ident, "an operation needs a return type: it declares the responses"))
        }
        ReturnType::Type(_, output) => check_type(output, errors),
    }
}

/// The generic parameters or the `where` clause, which are not supported.
fn generics(generics: &syn::Generics) -> Option<TokenStream> {
    if generics.params.is_empty() {
        generics.where_clause.as_ref().map(ToTokens::to_token_stream)
    } else {
        Some(generics.to_token_stream())
    }
}

fn receiver<'a>(sig: &'a Signature, errors: &mut Errors) -> Option<&'a Receiver> {
    let message = "an operation must take `&self`: all requests share the implementation";
    let Some(receiver) = sig.receiver() else {
        errors.push(at(&sig.ident, message));
        return None;
    };
    let is_plain = matches!(receiver.reference, Some((_, None)))
        && receiver.mutability.is_none()
        && receiver.colon_token.is_none();
    if !is_plain {
        errors.push(at(receiver, message));
    }
    Some(receiver)
}

fn parameters<'a>(sig: &'a Signature, errors: &mut Errors) -> Vec<Parameter<'a>> {
    let mut parameters = Vec::new();
    for input in &sig.inputs {
        let FnArg::Typed(typed) = input else {
            continue;
        };
        check_cfg(&typed.attrs, errors);
        check_type(&typed.ty, errors);
        match plain_name(&typed.pat) {
            Some(name) => parameters.push(Parameter { name, typed }),
            None => errors.push(at(
                &typed.pat,
                "a parameter of an operation must be `name: Type`: \
                 only implementations can use a pattern",
            )),
        }
    }
    parameters
}

/// Returns the name in `name: Type`; `None` for `mut`, `ref`, `@` and other patterns.
pub(crate) fn plain_name(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(PatIdent { by_ref: None, mutability: None, subpat: None, ident, .. }) => Some(ident),
        _ => None,
    }
}

/// Reports types that cannot be named outside the method: poem-openapi uses them there.
fn check_type(ty: &syn::Type, errors: &mut Errors) {
    let tokens = ty.to_token_stream();
    if contains(tokens.clone(), "impl") {
        errors.push(at(ty, "`impl Trait` cannot be used here: name the type"));
    }
    if contains(tokens, "Self") {
        let message = "`Self` is a different type in the generated routes: name the type";
        errors.push(at(ty, message));
    }
}

fn contains(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => contains(group.stream(), word),
        _ => false,
    })
}

/// Reports `#[cfg(…)]`: poem-openapi parses the methods before `cfg` is applied, so that the route would remain.
fn check_cfg(attrs: &[Attribute], errors: &mut Errors) {
    for attr in attrs.iter().filter(|attr| attrs::is_cfg(attr)) {
        let message = "`#[cfg(…)]` is not supported here: \
                       put it on a separate endpoint trait";
        errors.push(at(attr, message));
    }
}
