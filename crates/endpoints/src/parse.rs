//! From the tokens of a trait to its operations, or to everything that is wrong with it.

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
    attrs::{self, Call},
    errors::{Errors, at},
};

/// One method of the trait.
pub(crate) struct Operation<'a> {
    /// Its `operation_id`.
    pub(crate) id: LitStr,
    /// What `#[operation(…)]` declares.
    pub(crate) calls: Vec<Call>,
    /// The method as written.
    pub(crate) method: &'a TraitItemFn,
    /// Its `&self`.
    pub(crate) receiver: &'a Receiver,
    /// Its parameters.
    pub(crate) parameters: Vec<Parameter<'a>>,
}

/// One parameter of a method.
pub(crate) struct Parameter<'a> {
    /// Its name.
    pub(crate) name: &'a Ident,
    /// All of it.
    pub(crate) typed: &'a PatType,
}

/// Reads the item under the attribute, which must be a trait.
pub(crate) fn item_trait(tokens: TokenStream) -> syn::Result<ItemTrait> {
    (|input: ParseStream<'_>| {
        let ahead = input.fork();
        ahead.call(Attribute::parse_outer)?;
        ahead.parse::<Visibility>()?;
        let is_trait = ahead.peek(Token![trait])
            || (ahead.peek(Token![unsafe]) && ahead.peek2(Token![trait]))
            || ahead.peek(Token![auto]);
        if !is_trait {
            return Err(ahead.error("`#[endpoints]` goes on a trait, whose methods are operations"));
        }
        input.parse()
    })
    .parse2(tokens)
}

/// Reads the operations of a trait. Without `args` (they were wrong), what depends on them is not checked.
pub(crate) fn operations<'a>(item: &'a ItemTrait, args: Option<&Args>, errors: &mut Errors) -> Vec<Operation<'a>> {
    check_trait(item, errors);
    let mut operations: Vec<Operation<'a>> = Vec::new();
    for trait_item in &item.items {
        match trait_item {
            TraitItem::Fn(method) => {
                if args.is_some_and(|args| args.operation.is_none()) {
                    check_operation_type(method, errors);
                }
                operations.extend(operation(method, errors));
            }
            TraitItem::Type(other) => {
                errors.push(at(&other.ident, "an endpoint trait has no associated types: name the type in the methods"))
            }
            TraitItem::Const(other) => {
                errors.push(at(&other.ident, "an endpoint trait has no associated constants: declare it outside"))
            }
            other => errors.push(at(other, "an endpoint trait has `async fn` methods only")),
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
        let message = "an endpoint trait cannot be generic: the contract has one form";
        errors.push(at(clause, message));
    }
    if item.items.is_empty() {
        errors.push(at(&item.ident, "this endpoint trait has no operation"));
    }
}

/// `#[operation(…)]` is meaningless until `#[endpoints]` says what type holds it.
fn check_operation_type(method: &TraitItemFn, errors: &mut Errors) {
    for attr in method.attrs.iter().filter(|attr| attrs::is_operation(attr)) {
        let message = "this needs a type to build: \
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

/// Reads one method; `None` means that something is wrong with it.
fn operation<'a>(method: &'a TraitItemFn, errors: &mut Errors) -> Option<Operation<'a>> {
    check_signature(&method.sig, errors);
    if !method.attrs.iter().any(attrs::is_documentation) {
        let message = "an operation needs a doc comment: its first paragraph is published \
                       as the summary, the rest as the description";
        errors.push(at(&method.sig.ident, message));
    }
    check_cfg(&method.attrs, errors);
    if let Some(body) = &method.default {
        let message = "an operation has no default body: it belongs to the implementations";
        errors.push(syn::Error::new(body.brace_token.span.join(), message));
    }
    let receiver = receiver(&method.sig, errors);
    let parameters = parameters(&method.sig, errors);
    let id = attrs::operation_id(method, errors);
    let calls = attrs::calls(method, errors);
    Some(Operation { id: id?, calls, method, receiver: receiver?, parameters })
}

fn check_signature(sig: &Signature, errors: &mut Errors) {
    if sig.asyncness.is_none() {
        errors.push(at(sig.fn_token, "an operation is an `async fn`"));
    }
    if let Some(keyword) = &sig.unsafety {
        errors.push(at(keyword, "an operation cannot be `unsafe`"));
    }
    if let Some(abi) = &sig.abi {
        errors.push(at(abi, "an operation cannot be `extern`"));
    }
    if let Some(clause) = generics(&sig.generics) {
        let message = "an operation cannot be generic: the contract needs its types";
        errors.push(at(clause, message));
    }
    match &sig.output {
        ReturnType::Default => {
            errors.push(at(&sig.ident, "an operation needs a return type: it says which responses there are"))
        }
        ReturnType::Type(_, output) => check_type(output, errors),
    }
}

/// The parameters or the `where` clause of something that should have neither.
fn generics(generics: &syn::Generics) -> Option<TokenStream> {
    if generics.params.is_empty() {
        generics.where_clause.as_ref().map(ToTokens::to_token_stream)
    } else {
        Some(generics.to_token_stream())
    }
}

fn receiver<'a>(sig: &'a Signature, errors: &mut Errors) -> Option<&'a Receiver> {
    let message = "an operation takes `&self`: all requests share the implementation";
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
                "a parameter of an operation is a plain name, as in `name: Type`: \
                 the implementation may take it apart",
            )),
        }
    }
    parameters
}

/// The name in `name: Type`, without `mut`, `ref` or `@`.
pub(crate) fn plain_name(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(PatIdent { by_ref: None, mutability: None, subpat: None, ident, .. }) => Some(ident),
        _ => None,
    }
}

/// poem-openapi names each type outside the method, so each must be nameable there.
fn check_type(ty: &syn::Type, errors: &mut Errors) {
    let tokens = ty.to_token_stream();
    if contains(tokens.clone(), "impl") {
        errors.push(at(ty, "`impl Trait` has no name: write the type itself"));
    }
    if contains(tokens, "Self") {
        let message = "`Self` is another type in the generated routes: write the type's name";
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

/// poem-openapi reads an `impl` before `cfg` is applied to its methods: the route would remain.
fn check_cfg(attrs: &[Attribute], errors: &mut Errors) {
    for attr in attrs.iter().filter(|attr| attrs::is_cfg(attr)) {
        let message = "an operation cannot be conditional: \
                       put the `#[cfg(…)]` on an endpoint trait of its own";
        errors.push(at(attr, message));
    }
}
