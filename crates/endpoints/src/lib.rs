//! The attribute [`macro@endpoints`]: a trait becomes a poem-openapi API over any implementation.
//!
//! poem-openapi describes an `impl` block, so that there is no contract without an
//! implementation. Here the *trait* is the declaration: paths, parameters, responses and
//! documentation. What serves it (a database, a fake in memory) implements the trait with plain
//! `async fn`, and knows nothing of HTTP routes; the document comes from the trait alone.
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
//! // What poem-openapi has no word for. A type of yours, with const builder methods.
//! #[derive(Debug, PartialEq)]
//! struct Operation {
//!     id: &'static str,
//!     errors: &'static [u16],
//! }
//!
//! impl Operation {
//!     const fn new(id: &'static str) -> Self {
//!         Self { id, errors: &[] }
//!     }
//!     const fn errors(mut self, errors: &'static [u16]) -> Self {
//!         self.errors = errors;
//!         self
//!     }
//! }
//!
//! #[endpoints(WidgetRoutes, operation = "Operation", prefix_path = "/widgets")]
//! trait WidgetEndpoints {
//!     /// Fetch one widget.
//!     ///
//!     /// The first paragraph is the operation's summary, this one its description.
//!     #[oai(path = "/:widget_id", method = "get", operation_id = "getWidget")]
//!     #[operation(errors(&[404]))]
//!     async fn get(
//!         &self,
//!         /// Id of the widget.
//!         widget_id: Path<i64>,
//!     ) -> poem::Result<Json<Widget>>;
//!
//!     /// Count the widgets.
//!     #[oai(path = "/count", method = "get", operation_id = "countWidgets")]
//!     async fn count(&self) -> PlainText<String>;
//! }
//!
//! // An implementation: no attributes, no futures to spell out.
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
//! // Served:
//! let routes = WidgetRoutes(InMemory(vec!["sprocket".into()]));
//! let service = OpenApiService::new(routes, "Widgets", "1.0");
//! let client = poem::test::TestClient::new(service);
//! client.get("/widgets/count").send().await.assert_text("1").await;
//!
//! // Described, without any implementation:
//! let document = OpenApiService::new(WidgetRoutes(WidgetEndpointsStub), "Widgets", "1.0").spec();
//! assert!(document.contains("getWidget") && document.contains("Id of the widget."));
//!
//! // Declared beyond poem-openapi:
//! assert_eq!(
//!     WidgetRoutes::OPERATIONS,
//!     [Operation::new("getWidget").errors(&[404]), Operation::new("countWidgets")],
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

/// Turns a trait into a poem-openapi API over any implementation.
///
/// The [crate documentation](crate) has an example.
///
/// # Arguments
///
/// `#[endpoints(Routes, operation = "…", …)]`:
///
/// * `Routes`, first and required: the name of the type to generate;
/// * `operation = "Operation"` or `operation = path::to::Operation`: the type of what
///   `#[operation(…)]` declares. It needs `const fn new(operation_id: &'static str) -> Self`;
/// * all others (`prefix_path`, `tag`, `response_header`, …) go to
///   [`#[poem_openapi::OpenApi(…)]`](https://docs.rs/poem-openapi/5.1.16/poem_openapi/attr.OpenApi.html).
///
/// # Methods
///
/// Each is one operation: an `async fn` that takes `&self` and named parameters, and returns
/// responses. It has
///
/// * a doc comment, required: the first paragraph is published as the summary, the rest as the
///   description. A parameter's doc comment is its description;
/// * `#[oai(path = "…", method = "…", operation_id = "…", …)]`: those three are required, the
///   others are poem-openapi's. Its attributes of parameters work too;
/// * any number of `#[operation(name(arguments), …)]`: each `name` is a const method of the type
///   given as `operation`, taking `self` and returning it. They are called in order.
///
/// Other attributes stay on the method of the trait. Lint levels (`#[allow(…)]` and so on) are
/// repeated on what is generated from it, `#[must_use]` on the method of the routes. `#[cfg(…)]`
/// is refused on methods and parameters, as poem-openapi would keep the route: put it on a trait.
///
/// # What is generated
///
/// For `#[endpoints(WidgetRoutes)] pub trait WidgetEndpoints`, with the trait's visibility:
///
/// * the trait. Each `async fn …() -> Response` has become
///   `fn …() -> impl Future<Output = Response> + Send`, which implementations may and should
///   write as `async fn`;
/// * `WidgetRoutes<T>(pub T)`: a `poem_openapi::OpenApi` where
///   `T: WidgetEndpoints + Send + Sync + 'static`;
/// * `WidgetEndpointsStub`: implements the trait, so that `WidgetRoutes(WidgetEndpointsStub)` has a
///   document. A future of its methods panics;
/// * with `operation`: `WidgetRoutes::<WidgetEndpointsStub>::OPERATIONS`, a `&'static [Operation]`
///   with `Operation::new(operation_id)` for each method, and what its `#[operation(…)]` adds.
///
/// The crate that uses it depends on `poem-openapi`.
#[proc_macro_attribute]
pub fn endpoints(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::endpoints(args.into(), item.into()).into()
}
