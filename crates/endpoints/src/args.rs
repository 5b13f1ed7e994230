//! The arguments of `#[endpoints(…)]`.

use proc_macro2::{Span, TokenStream};
use syn::{
    Expr, ExprLit, Ident, Lit, Meta, Path, Token,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
};

use crate::errors::at;

/// The parsed arguments, for example `BucketlistRoutes, operation = "Operation", prefix_path = "/bucketlists"`.
pub(crate) struct Args {
    /// Name of the generated routes type.
    pub(crate) routes: Ident,
    /// Type that `#[operation(…)]` builds.
    pub(crate) operation: Option<Path>,
    /// Path before the path of every operation.
    pub(crate) prefix_path: String,
    /// All other arguments, passed to `#[poem_openapi::OpenApi(…)]`.
    pub(crate) open_api: Punctuated<Meta, Token![,]>,
}

impl Args {
    /// Parses the arguments of the attribute on the trait `name`.
    pub(crate) fn parse(tokens: TokenStream, name: &Ident) -> syn::Result<Self> {
        (|input: ParseStream<'_>| {
            let routes = routes(input, name)?;
            let metas = Punctuated::<Meta, Token![,]>::parse_terminated(input)?;
            let mut args = Self { routes, operation: None, prefix_path: String::new(), open_api: Punctuated::new() };
            for meta in metas {
                if !meta.path().is_ident("operation") {
                    if meta.path().is_ident("prefix_path") {
                        args.prefix_path = text(&meta).unwrap_or_default();
                    }
                    args.open_api.push(meta);
                } else if args.operation.replace(type_path(&meta)?).is_some() {
                    return Err(at(meta, "duplicate argument `operation`"));
                }
            }
            Ok(args)
        })
        .parse2(tokens)
    }
}

/// Parses the first argument and the comma after it.
fn routes(input: ParseStream<'_>, name: &Ident) -> syn::Result<Ident> {
    let ahead = input.fork();
    let is_name = ahead.parse::<Ident>().is_ok() && (ahead.is_empty() || ahead.peek(Token![,]));
    if !is_name {
        let name = name.to_string();
        let example = name.strip_suffix("Endpoints").unwrap_or(&name);
        let message = format!(
            "the first argument must be the name of the routes type to generate: \
             `#[endpoints({example}Routes, …)]`"
        );
        let span = if input.is_empty() { Span::call_site() } else { input.span() };
        return Err(syn::Error::new(span, message));
    }
    let routes = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(routes)
}

/// The value of `name = "text"`.
fn text(meta: &Meta) -> Option<String> {
    match &meta.require_name_value().ok()?.value {
        Expr::Lit(ExprLit { lit: Lit::Str(value), .. }) => Some(value.value()),
        _ => None,
    }
}

/// The path in `operation = "contract::Operation"` or `operation = contract::Operation`.
fn type_path(meta: &Meta) -> syn::Result<Path> {
    let value = meta.require_name_value().ok().map(|pair| &pair.value);
    let path = match value {
        Some(Expr::Path(value)) if value.qself.is_none() => Some(value.path.clone()),
        Some(Expr::Lit(ExprLit { lit: Lit::Str(value), .. })) => value.parse().ok(),
        _ => None,
    };
    let message = "`operation` must be the path of a type: `operation = \"Operation\"`";
    path.ok_or_else(|| at(meta, message))
}
