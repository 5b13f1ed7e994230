//! The generated code is clean under lints that a crate may well deny.
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

/// An operation, as far as this test cares.
#[derive(Debug, PartialEq)]
pub struct Operation(&'static str);

impl Operation {
    const fn new(id: &'static str) -> Self {
        Self(id)
    }
}

/// Endpoints with all that may draw a lint.
#[endpoints(LintRoutes, operation = "Operation")]
pub trait LintEndpoints: Send + Sync + 'static {
    /// Has more parameters than clippy likes.
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

    /// Is on its way out, in Rust too.
    #[oai(path = "/old", method = "get", operation_id = "old", deprecated = true)]
    #[deprecated]
    #[must_use]
    async fn old(&self, r#type: Query<Option<u8>>) -> PlainText<String>;
}

mod inner {
    //! Visibilities other than `pub`, of which nothing is used outside the tests.

    use endpoints::endpoints;
    use poem_openapi::payload::PlainText;

    /// For the parent.
    #[endpoints(ParentRoutes)]
    pub(super) trait ParentEndpoints {
        /// Says something.
        #[oai(path = "/parent", method = "get", operation_id = "parent")]
        async fn parent(&self) -> PlainText<String>;
    }

    /// For nobody else.
    #[endpoints(PrivateRoutes)]
    trait PrivateEndpoints {
        /// Says something.
        #[oai(path = "/private", method = "get", operation_id = "private")]
        async fn private(&self) -> PlainText<String>;
    }

    pub(super) fn private() -> impl poem_openapi::OpenApi {
        PrivateRoutes(PrivateEndpointsStub)
    }
}

#[test]
fn all_of_it_is_served() {
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
