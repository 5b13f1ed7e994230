//! Generates the code from the operations of a trait.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, FnArg, Ident, ItemTrait, PatType, ReturnType, Signature, TraitItem, TraitItemFn, parse_quote,
    spanned::Spanned,
};

use crate::{
    args::Args,
    attrs,
    errors::Errors,
    parse::{self, Operation, Parameter},
};

/// Expands the attribute. If there are errors, the expansion contains them and the plain trait, so that implementations
/// do not report follow-up errors.
pub(crate) fn endpoints(args: TokenStream, tokens: TokenStream) -> TokenStream {
    let item = match parse::item_trait(tokens.clone()) {
        Ok(item) => item,
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#error #tokens);
        }
    };
    let mut errors = Errors::default();
    let args = errors.ok(Args::parse(args, &item.ident));
    let operations = parse::operations(&item, args.as_ref(), &mut errors);
    let declaration = declaration(item.clone());
    let errors = errors.into_error().map(syn::Error::into_compile_error);
    match (args, errors) {
        (Some(args), None) => {
            let target = Target::new(&item, &args);
            let routes = target.routes(&operations);
            let stub = target.stub(&operations);
            let constant = target.constant(&operations);
            quote!(#declaration #routes #stub #constant)
        }
        (_, errors) => quote!(#errors #declaration),
    }
}

/// Returns the trait without the attributes of this macro.
fn declaration(mut item: ItemTrait) -> ItemTrait {
    for trait_item in &mut item.items {
        if let TraitItem::Fn(method) = trait_item {
            declare(method);
        }
    }
    item
}

/// Replaces `async fn` by a function that returns a `Send` future: `async fn` in a trait does not require `Send`, and a
/// server needs it.
fn declare(method: &mut TraitItemFn) {
    method.attrs.retain(attrs::stays_on_trait);
    method.attrs.push(parse_quote!(#[allow(clippy::too_many_arguments)]));
    for input in &mut method.sig.inputs {
        if let FnArg::Typed(typed) = input {
            typed.attrs.retain(attrs::is_lint_level);
            if parse::plain_name(&typed.pat).is_none() {
                // Already reported: avoids a second error from rustc.
                *typed.pat = parse_quote!(_);
            }
        }
    }
    if method.sig.asyncness.take().is_some() {
        let output = match &method.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, output) => quote!(#output),
        };
        method.sig.output = parse_quote! {
            -> impl ::std::future::Future<Output = #output> + ::std::marker::Send
        };
    }
    if method.default.take().is_some() {
        method.semi_token = Some(parse_quote!(;));
    }
}

/// The input that all generated items share.
struct Target<'a> {
    item: &'a ItemTrait,
    args: &'a Args,
    /// Name of the stub.
    stub: Ident,
    /// Lint levels of the trait, copied to all generated items.
    lints: Vec<&'a Attribute>,
}

impl<'a> Target<'a> {
    fn new(item: &'a ItemTrait, args: &'a Args) -> Self {
        Self { item, args, stub: format_ident!("{}Stub", item.ident), lints: filter(&item.attrs, attrs::is_lint_level) }
    }

    /// Generates the routes type, which implements `poem_openapi::OpenApi`.
    fn routes(&self, operations: &[Operation<'_>]) -> TokenStream {
        let Self { item: ItemTrait { vis, ident, .. }, args: Args { routes, open_api, .. }, lints, .. } = self;
        let doc = format!("The routes of [`{ident}`] over an implementation: a `poem_openapi::OpenApi`.");
        let methods = operations.iter().map(|operation| delegation(ident, operation));
        quote! {
            #[doc = #doc]
            #(#lints)*
            #[derive(::std::clone::Clone, ::std::fmt::Debug)]
            #vis struct #routes<T>(#vis T);

            // Not `T`: the signatures may use a type of that name.
            #[::poem_openapi::OpenApi(#open_api)]
            #(#lints)*
            #[allow(deprecated, clippy::too_many_arguments)]
            impl<__Implementation> #routes<__Implementation>
            where
                __Implementation:
                    #ident + ::std::marker::Send + ::std::marker::Sync + 'static,
            {
                #(#methods)*
            }
        }
    }

    /// Generates the stub.
    fn stub(&self, operations: &[Operation<'_>]) -> TokenStream {
        let Self { item: ItemTrait { vis, ident, .. }, args: Args { routes, .. }, stub, lints } = self;
        let doc = format!(
            "Implements [`{ident}`] to build the document without a server: `{routes}({stub})`. Its methods panic."
        );
        let methods = operations.iter().map(stub_method);
        quote! {
            #[doc = #doc]
            #(#lints)*
            #[allow(dead_code)]
            #[derive(
                ::std::clone::Clone,
                ::std::marker::Copy,
                ::std::fmt::Debug,
                ::std::default::Default,
            )]
            #vis struct #stub;

            #(#lints)*
            #[allow(deprecated, clippy::panic)]
            impl #ident for #stub {
                #(#methods)*
            }
        }
    }

    /// Generates the constant `OPERATIONS`.
    fn constant(&self, operations: &[Operation<'_>]) -> Option<TokenStream> {
        let Self { item: ItemTrait { vis, ident, .. }, args: Args { routes, .. }, stub, lints } = self;
        let ty = self.args.operation.as_ref()?;
        let doc = format!("Declarations of all operations of [`{ident}`], in order.");
        let values = operations.iter().map(|Operation { id, http_method, path, calls, parameters, .. }| {
            let types = parameters.iter().map(|Parameter { typed, .. }| &typed.ty);
            let calls = calls.iter().map(|call| {
                let (name, arguments) = (&call.name, &call.arguments);
                quote!(.#name(#arguments))
            });
            quote_spanned!(ty.span()=> <#ty>::new(#id, #http_method, #path) #(.argument::<#types>())* #(#calls)*)
        });
        Some(quote! {
            #(#lints)*
            #[allow(dead_code)]
            impl #routes<#stub> {
                #[doc = #doc]
                #vis const OPERATIONS: &'static [#ty] = &[#(#values),*];
            }
        })
    }
}

/// Generates a method of the routes type with the attributes for poem-openapi.
fn delegation(item: &Ident, operation: &Operation<'_>) -> TokenStream {
    let method = operation.method;
    let attrs = filter(&method.attrs, attrs::is_copied_to_routes);
    let Signature { ident, inputs, output, .. } = &method.sig;
    let this = operation.receiver.self_token;
    let names = operation.parameters.iter().map(|parameter| parameter.name);
    // poem-openapi calls this on an `Arc`, whose own `clone` or `eq` would take precedence.
    let served = format_ident!("serve_{ident}");
    quote! {
        #(#attrs)*
        async fn #served(#inputs) #output {
            #item::#ident(&#this.0 #(, #names)*).await
        }
    }
}

/// Generates a method of the stub.
fn stub_method(operation: &Operation<'_>) -> TokenStream {
    let Operation { id, method, receiver, parameters, .. } = operation;
    let lints = filter(&method.attrs, attrs::is_lint_level);
    let Signature { ident, output, .. } = &method.sig;
    let types = parameters.iter().map(|Parameter { typed, .. }| {
        let PatType { ty, .. } = typed;
        quote!(_: #ty)
    });
    quote! {
        #(#lints)*
        async fn #ident(#receiver #(, #types)*) #output {
            ::std::panic!(
                "`{}` was called on a stub",
                #id,
            )
        }
    }
}

fn filter(attrs: &[Attribute], keep: fn(&Attribute) -> bool) -> Vec<&Attribute> {
    attrs.iter().filter(|attr| keep(attr)).collect()
}
