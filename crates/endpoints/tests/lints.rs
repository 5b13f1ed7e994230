//! The generated code does not trigger lints that a crate can deny.
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused,
    clippy::all,
    clippy::pedantic,
    clippy::panic
)]

use endpoints::endpoints;
use poem_openapi::{OpenApi, param::Query, payload::PlainText};

/// The declaration of an operation.
#[derive(Debug, PartialEq)]
pub struct Operation(&'static str);

impl Operation {
    const fn new(id: &'static str, _method: &'static str, _path: &'static str) -> Self {
        Self(id)
    }

    // The macro names the type of each argument.
    #[allow(clippy::extra_unused_type_parameters)]
    const fn argument<T>(self) -> Self {
        self
    }
}

/// Endpoints that could trigger lints.
#[endpoints(LintRoutes, operation = "Operation")]
pub trait LintEndpoints: Send + Sync + 'static {
    /// More parameters than clippy allows
    #[oai(path = "/many", method = "get", operation_id = "many")]
    #[allow(non_snake_case)]
    async fn many(
        &self,
        a: Query<u8>,
        b: Query<u8>,
        c: Query<u8>,
        d: Query<u8>,
        e: Query<u8>,
        f: Query<u8>,
        g: Query<u8>,
        theHost: Query<u8>,
    ) -> PlainText<String>;

    /// Deprecated, also in Rust
    #[oai(path = "/old", method = "get", operation_id = "old", deprecated = true)]
    #[deprecated]
    #[must_use]
    async fn old(&self, r#type: Query<Option<u8>>) -> PlainText<String>;
}

mod inner {
    //! Traits with a visibility other than `pub`.

    use endpoints::endpoints;
    use poem_openapi::payload::PlainText;

    /// Visible in the parent module.
    #[endpoints(ParentRoutes)]
    pub(super) trait ParentEndpoints {
        /// Return text
        #[oai(path = "/parent", method = "get", operation_id = "parent")]
        async fn parent(&self) -> PlainText<String>;
    }

    /// Private.
    #[endpoints(PrivateRoutes)]
    trait PrivateEndpoints {
        /// Return text
        #[oai(path = "/private", method = "get", operation_id = "private")]
        async fn private(&self) -> PlainText<String>;
    }

    pub(super) fn private() -> impl poem_openapi::OpenApi {
        PrivateRoutes(PrivateEndpointsStub)
    }
}

#[test]
fn all_traits_are_served() {
    use inner::{ParentEndpointsStub, ParentRoutes};
    fn paths<T: OpenApi>(_: &T) -> Vec<String> {
        let paths = T::meta().into_iter().flat_map(|api| api.paths);
        paths.map(|path| path.path).collect()
    }
    assert_eq!(paths(&LintRoutes(LintEndpointsStub)), ["/many", "/old"]);
    assert_eq!(paths(&ParentRoutes(ParentEndpointsStub)), ["/parent"]);
    assert_eq!(paths(&inner::private()), ["/private"]);
    assert_eq!(LintRoutes::OPERATIONS, [Operation("many"), Operation("old")]);
}
