//! The attribute [`macro@endpoints`] generates a poem-openapi API from a trait.
//!
//! poem-openapi describes an `impl` block, so that a document needs an implementation. With this attribute, a *trait*
//! declares paths, parameters, responses and documentation. An implementation (with a database, or in memory for tests)
//! implements the trait with plain `async fn` and does not contain routes. The document is built from the trait alone.
//!
//! ```
//! use endpoints::endpoints;
//! use poem_openapi::{
//!     Object, OpenApiService,
//!     param::Path,
//!     payload::{Json, PlainText},
//! };
//!
//! #[derive(Object)]
//! struct Widget {
//!     id: i64,
//!     name: String,
//! }
//!
//! // Declarations that poem-openapi does not support: your own type with const builder methods.
//! #[derive(Debug, PartialEq)]
//! struct Operation {
//!     id: &'static str,
//!     path: &'static str,
//!     errors: &'static [u16],
//! }
//!
//! impl Operation {
//!     const fn new(id: &'static str, _method: &'static str, path: &'static str) -> Self {
//!         Self { id, path, errors: &[] }
//!     }
//!     const fn argument<T>(self) -> Self {
//!         self
//!     }
//!     const fn errors(mut self, errors: &'static [u16]) -> Self {
//!         self.errors = errors;
//!         self
//!     }
//! }
//!
//! #[endpoints(WidgetRoutes, operation = "Operation", prefix_path = "/widgets")]
//! trait WidgetEndpoints {
//!     /// Retrieve a widget
//!     ///
//!     /// The first paragraph is the operation's summary, this one its description.
//!     #[oai(path = "/:widget_id", method = "get", operation_id = "getWidget")]
//!     #[operation(errors(&[404]))]
//!     async fn get(
//!         &self,
//!         /// ID of the widget.
//!         widget_id: Path<i64>,
//!     ) -> poem::Result<Json<Widget>>;
//!
//!     /// Count the widgets
//!     #[oai(path = "/count", method = "get", operation_id = "countWidgets")]
//!     async fn count(&self) -> PlainText<String>;
//! }
//!
//! // The implementation has no attributes.
//! struct InMemory(Vec<String>);
//!
//! impl WidgetEndpoints for InMemory {
//!     async fn get(&self, Path(id): Path<i64>) -> poem::Result<Json<Widget>> {
//!         let name = usize::try_from(id).ok().and_then(|index| self.0.get(index));
//!         let name = name.ok_or(poem::http::StatusCode::NOT_FOUND)?.clone();
//!         Ok(Json(Widget { id, name }))
//!     }
//!     async fn count(&self) -> PlainText<String> {
//!         PlainText(self.0.len().to_string())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Serve it:
//! let routes = WidgetRoutes(InMemory(vec!["sprocket".into()]));
//! let service = OpenApiService::new(routes, "Widgets", "1.0");
//! let client = poem::test::TestClient::new(service);
//! client.get("/widgets/count").send().await.assert_text("1").await;
//!
//! // Build the document without an implementation:
//! let document = OpenApiService::new(WidgetRoutes(WidgetEndpointsStub), "Widgets", "1.0").spec();
//! assert!(document.contains("getWidget") && document.contains("ID of the widget."));
//!
//! // Read the additional declarations:
//! assert_eq!(
//!     WidgetRoutes::OPERATIONS,
//!     [
//!         Operation::new("getWidget", "GET", "/widgets/{widget_id}").errors(&[404]),
//!         Operation::new("countWidgets", "GET", "/widgets/count"),
//!     ],
//! );
//! # Ok(())
//! # }
//! ```

mod args;
mod attrs;
mod errors;
mod expand;
mod parse;

use proc_macro::TokenStream;

/// Generates a poem-openapi API from a trait.
///
/// See the [crate documentation](crate) for an example.
///
/// # Arguments
///
/// `#[endpoints(Routes, operation = "…", …)]`:
///
/// * `Routes` (first, required): the name of the type to generate.
/// * `operation = "Operation"` or `operation = path::to::Operation`: the type that `#[operation(…)]` builds. It needs
///   `const fn new(operation_id: &'static str, method: &'static str, path: &'static str) -> Self` and
///   `const fn argument<T>(self) -> Self`. The method is in upper case, the path a template with the prefix
///   (`/widgets/{widget_id}`).
/// * All others (`prefix_path`, `tag`, `response_header`, …) are passed to
///   [`#[poem_openapi::OpenApi(…)]`](https://docs.rs/poem-openapi/5.1.16/poem_openapi/attr.OpenApi.html).
///
/// # Methods
///
/// Each method is one operation: an `async fn` that takes `&self` and named parameters and returns responses. It has:
///
/// * A doc comment (required). The first paragraph is published as the summary, the rest as the description. The doc
///   comment of a parameter is its description.
/// * `#[oai(path = "…", method = "…", operation_id = "…", …)]`. These three arguments are required; all arguments of
///   poem-openapi are supported, also on parameters.
/// * Any number of `#[operation(name(arguments), …)]`. Each `name` is a const method of the `operation` type that takes
///   and returns `self`. The methods are called in order, after `argument::<T>()` for the type of each parameter.
///
/// Other attributes stay on the method of the trait. Lint levels such as `#[allow(…)]` are copied to all generated items,
/// `#[must_use]` to the method of the routes type. `#[cfg(…)]` on methods and parameters is an error: put it on a trait.
///
/// # Generated items
///
/// For `#[endpoints(WidgetRoutes)] pub trait WidgetEndpoints`, with the trait's visibility:
///
/// * The trait. Each `async fn …() -> Response` becomes `fn …() -> impl Future<Output = Response> + Send`, which
///   implementations can write as `async fn`.
/// * `WidgetRoutes<T>(pub T)`, which implements `poem_openapi::OpenApi` if `T: WidgetEndpoints + Send + Sync + 'static`.
/// * `WidgetEndpointsStub`, which implements the trait: `WidgetRoutes(WidgetEndpointsStub)` has a document. Its methods
///   panic.
/// * With `operation`: `WidgetRoutes::<WidgetEndpointsStub>::OPERATIONS`, a `&'static [Operation]` with one value per
///   method.
///
/// The calling crate must depend on `poem-openapi`.
#[proc_macro_attribute]
pub fn endpoints(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::endpoints(args.into(), item.into()).into()
}
