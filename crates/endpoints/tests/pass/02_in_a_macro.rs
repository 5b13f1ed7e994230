//! The trait may come out of a `macro_rules!`.

macro_rules! declare {
    ($routes:ident, $name:ident, $id:literal, $ty:ty) => {
        #[endpoints::endpoints($routes, prefix_path = "/v1")]
        pub trait $name: Send + Sync + 'static {
            #[doc = "Fetches it."]
            #[oai(path = "/it", method = "get", operation_id = $id)]
            async fn get(&self, number: poem_openapi::param::Query<$ty>)
            -> poem_openapi::payload::PlainText<String>;
        }
    };
}

declare!(ItRoutes, ItEndpoints, "getIt", u8);

fn main() {
    let service = poem_openapi::OpenApiService::new(ItRoutes(ItEndpointsStub), "It", "1.0");
    assert!(service.spec().contains("getIt"));
}
