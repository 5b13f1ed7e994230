//! The attributes of an operation: how they are parsed and to which generated items they are copied.

use syn::{
    Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Token, TraitItemFn,
    meta::ParseNestedMeta,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    token::Paren,
};

use crate::errors::{Errors, at};

/// Required arguments of `#[oai(…)]`, with an example of each.
const REQUIRED: [(&str, &str); 3] = [("path", "/:widget_id"), ("method", "get"), ("operation_id", "getWidget")];

/// One `name(arguments)` in `#[operation(…)]`: a call of a const builder method.
pub(crate) struct Call {
    pub(crate) name: Ident,
    pub(crate) arguments: Punctuated<Expr, Token![,]>,
}

impl Parse for Call {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        if !input.peek(Paren) {
            let message = format!("expected a call: `{name}(…)`");
            return Err(syn::Error::new(name.span(), message));
        }
        let content;
        parenthesized!(content in input);
        let arguments = Punctuated::parse_terminated(&content)?;
        Ok(Self { name, arguments })
    }
}

/// The route of an operation, from its only `#[oai(…)]`.
pub(crate) struct Route {
    pub(crate) operation_id: LitStr,
    /// HTTP method in upper case.
    pub(crate) method: String,
    /// Path template without the prefix, in the syntax of poem: `/:widget_id`.
    pub(crate) path: String,
}

/// Parses the route of an operation. poem-openapi parses the same attribute again and checks the values.
pub(crate) fn route(method: &TraitItemFn, errors: &mut Errors) -> Option<Route> {
    let mut attrs = method.attrs.iter().filter(|a| a.path().is_ident("oai"));
    let Some(attr) = attrs.next() else {
        let message = "an operation needs `#[oai(path = \"…\", method = \"…\", operation_id = \"…\")]`";
        errors.push(at(&method.sig.ident, message));
        return None;
    };
    for other in attrs {
        errors.push(at(other, "duplicate `#[oai(…)]`: merge it into the first one"));
    }

    let mut found = Vec::new();
    let (mut operation_id, mut http_method, mut path) = (None, String::new(), String::new());
    if !matches!(attr.meta, Meta::Path(_)) {
        errors.ok(attr.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(Ident::to_string);
            let key = key.unwrap_or_default();
            if key == "method" && found.contains(&key) {
                return Err(meta.error("an operation has one HTTP method: declare another operation for this one"));
            }
            match key.as_str() {
                "operation_id" => operation_id = Some(non_empty(meta.value()?.parse()?)?),
                "method" => http_method = text_value(&meta)?.to_uppercase(),
                "path" => path = text_value(&meta)?,
                _ => skip_value(&meta)?,
            }
            found.push(key);
            Ok(())
        }))?;
    }
    for (key, example) in REQUIRED {
        if !found.iter().any(|name| name == key) {
            let message = format!("`#[oai(…)]` needs `{key}`, for example `{key} = \"{example}\"`");
            errors.push(at(attr, message));
        }
    }
    Some(Route { operation_id: operation_id?, method: http_method, path })
}

fn non_empty(operation_id: LitStr) -> syn::Result<LitStr> {
    if operation_id.value().trim().is_empty() {
        return Err(at(operation_id, "`operation_id` is empty"));
    }
    Ok(operation_id)
}

/// The text after `=`; empty if the value is not a string literal, which poem-openapi reports.
fn text_value(meta: &ParseNestedMeta<'_>) -> syn::Result<String> {
    let mut value = meta.value()?.parse::<Expr>()?;
    // An argument of a `macro_rules!` macro.
    while let Expr::Group(group) = value {
        value = *group.expr;
    }
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.value()),
        _ => Ok(String::new()),
    }
}

/// Skips ` = value` or `(…)`.
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

/// Parses the calls of all `#[operation(…)]`, in order.
pub(crate) fn calls(method: &TraitItemFn, errors: &mut Errors) -> Vec<Call> {
    let mut calls = Vec::new();
    for attr in method.attrs.iter().filter(|attr| is_operation(attr)) {
        if matches!(attr.meta, Meta::List(_)) {
            let list = attr.parse_args_with(Punctuated::<Call, Token![,]>::parse_terminated);
            calls.extend(errors.ok(list).into_iter().flatten());
        } else {
            errors.push(at(attr, "expected `#[operation(name(…), …)]`"));
        }
    }
    calls
}

/// Returns whether this is `#[operation(…)]`.
pub(crate) fn is_operation(attr: &Attribute) -> bool {
    attr.path().is_ident("operation")
}

/// Returns whether this is `#[cfg(…)]`.
pub(crate) fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
}

/// Returns whether this is a non-empty line of a doc comment.
pub(crate) fn is_documentation(attr: &Attribute) -> bool {
    let Meta::NameValue(pair) = &attr.meta else {
        return false;
    };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else {
        return false;
    };
    pair.path.is_ident("doc") && !text.value().trim().is_empty()
}

/// Returns whether this sets the level of lints and is copied to the generated code.
///
/// `#[expect]` is excluded, because every copy would have to be fulfilled.
pub(crate) fn is_lint_level(attr: &Attribute) -> bool {
    ["allow", "warn", "deny", "forbid"].iter().any(|level| attr.path().is_ident(level))
}

/// Returns whether the attribute stays on the method of the trait.
pub(crate) fn stays_on_trait(attr: &Attribute) -> bool {
    !attr.path().is_ident("oai") && !is_operation(attr)
}

/// Returns whether the attribute is copied to the method of the routes type.
///
/// `#[deprecated]` is not: the code that poem-openapi generates would trigger the warning.
pub(crate) fn is_copied_to_routes(attr: &Attribute) -> bool {
    ["oai", "doc", "must_use"].iter().any(|name| attr.path().is_ident(name)) || is_lint_level(attr)
}
