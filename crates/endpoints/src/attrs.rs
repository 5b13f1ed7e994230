//! The attributes of an operation: what each of them means, and where it goes.

use syn::{
    Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Token, TraitItemFn,
    meta::ParseNestedMeta,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    token::Paren,
};

use crate::errors::{Errors, at};

/// What `#[oai(…)]` must say, with an example of each.
const REQUIRED: [(&str, &str); 3] = [("path", "/:widget_id"), ("method", "get"), ("operation_id", "getWidget")];

/// One `name(arguments)` of `#[operation(…)]`: a call of a const builder method.
pub(crate) struct Call {
    pub(crate) name: Ident,
    pub(crate) arguments: Punctuated<Expr, Token![,]>,
}

impl Parse for Call {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        if !input.peek(Paren) {
            let message = format!("`{name}` is a call: write `{name}(…)`");
            return Err(syn::Error::new(name.span(), message));
        }
        let content;
        parenthesized!(content in input);
        let arguments = Punctuated::parse_terminated(&content)?;
        Ok(Self { name, arguments })
    }
}

/// The operation id in the method's only `#[oai(…)]`.
///
/// The rest is checked for presence alone: poem-openapi reads the same attribute again.
pub(crate) fn operation_id(method: &TraitItemFn, errors: &mut Errors) -> Option<LitStr> {
    let mut attrs = method.attrs.iter().filter(|a| a.path().is_ident("oai"));
    let Some(attr) = attrs.next() else {
        let message = "an operation needs `#[oai(path = \"…\", method = \"…\", operation_id = \"…\")]`";
        errors.push(at(&method.sig.ident, message));
        return None;
    };
    for other in attrs {
        errors.push(at(other, "an operation has one `#[oai(…)]`: merge this into the first"));
    }

    let mut found = Vec::new();
    let mut operation_id = None;
    if !matches!(attr.meta, Meta::Path(_)) {
        errors.ok(attr.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(Ident::to_string);
            let key = key.unwrap_or_default();
            if key == "method" && found.contains(&key) {
                return Err(meta.error("an operation has one HTTP method: declare another operation for this one"));
            }
            if key == "operation_id" {
                operation_id = Some(non_empty(meta.value()?.parse()?)?);
            } else {
                skip_value(&meta)?;
            }
            found.push(key);
            Ok(())
        }))?;
    }
    for (key, example) in REQUIRED {
        if !found.iter().any(|name| name == key) {
            let message = format!("`#[oai(…)]` needs `{key}`, such as `{key} = \"{example}\"`");
            errors.push(at(attr, message));
        }
    }
    operation_id
}

fn non_empty(operation_id: LitStr) -> syn::Result<LitStr> {
    if operation_id.value().trim().is_empty() {
        return Err(at(operation_id, "`operation_id` is empty"));
    }
    Ok(operation_id)
}

/// Reads past ` = value` or `(…)`.
fn skip_value(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(Paren) {
        let content;
        parenthesized!(content in meta.input);
        content.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}

/// The calls of all `#[operation(…)]`, in order.
pub(crate) fn calls(method: &TraitItemFn, errors: &mut Errors) -> Vec<Call> {
    let mut calls = Vec::new();
    for attr in method.attrs.iter().filter(|attr| is_operation(attr)) {
        if matches!(attr.meta, Meta::List(_)) {
            let list = attr.parse_args_with(Punctuated::<Call, Token![,]>::parse_terminated);
            calls.extend(errors.ok(list).into_iter().flatten());
        } else {
            errors.push(at(attr, "write `#[operation(name(…), …)]`"));
        }
    }
    calls
}

/// Whether this is an `#[operation(…)]`.
pub(crate) fn is_operation(attr: &Attribute) -> bool {
    attr.path().is_ident("operation")
}

/// Whether this is a `#[cfg(…)]`.
pub(crate) fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
}

/// Whether this line of documentation has text that poem-openapi can read.
pub(crate) fn is_documentation(attr: &Attribute) -> bool {
    let Meta::NameValue(pair) = &attr.meta else {
        return false;
    };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else {
        return false;
    };
    pair.path.is_ident("doc") && !text.value().trim().is_empty()
}

/// Whether this sets the level of lints, and so concerns generated code as well.
///
/// `#[expect]` is left out: it would have to be fulfilled by each copy.
pub(crate) fn is_lint_level(attr: &Attribute) -> bool {
    ["allow", "warn", "deny", "forbid"].iter().any(|level| attr.path().is_ident(level))
}

/// Whether the method of the trait keeps this attribute.
pub(crate) fn stays_on_trait(attr: &Attribute) -> bool {
    !attr.path().is_ident("oai") && !is_operation(attr)
}

/// Whether the method of the routes gets this attribute.
///
/// `#[deprecated]` does not go there: poem-openapi's call of that method would warn.
pub(crate) fn goes_on_routes(attr: &Attribute) -> bool {
    ["oai", "doc", "must_use"].iter().any(|name| attr.path().is_ident(name)) || is_lint_level(attr)
}
