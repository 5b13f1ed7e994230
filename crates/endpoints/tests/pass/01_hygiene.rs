//! Hygiene: without imports, and with names that could conflict with generated code.

struct T;
struct Routes;
mod std {}

impl poem_openapi::types::Type for T {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;
    fn name() -> ::std::borrow::Cow<'static, str> {
        "T".into()
    }
    fn schema_ref() -> poem_openapi::registry::MetaSchemaRef {
        <String as poem_openapi::types::Type>::schema_ref()
    }
    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(Some(self).into_iter())
    }
}

impl poem_openapi::types::ToJSON for T {
    fn to_json(&self) -> Option<serde_json::Value> {
        Some("T".into())
    }
}

#[endpoints::endpoints(ThingRoutes)]
trait ThingEndpoints {
    /// A type with the name of the generic parameter of the routes
    #[oai(path = "/", method = "get", operation_id = "getThing")]
    async fn get(&self, request: &poem::Request, output: poem_openapi::param::Query<u8>)
    -> poem_openapi::payload::Json<T>;

    /// A name that is also a method of every type
    #[oai(path = "/clone", method = "get", operation_id = "cloneThing")]
    async fn clone(&self) -> poem_openapi::payload::Json<T>;
}

#[derive(Clone)]
struct Thing;

impl ThingEndpoints for Thing {
    async fn get(
        &self,
        _: &poem::Request,
        _: poem_openapi::param::Query<u8>,
    ) -> poem_openapi::payload::Json<T> {
        poem_openapi::payload::Json(T)
    }
    async fn clone(&self) -> poem_openapi::payload::Json<T> {
        poem_openapi::payload::Json(T)
    }
}

fn main() {
    let _ = Routes;
    let service = poem_openapi::OpenApiService::new(ThingRoutes(Thing), "Things", "1.0");
    assert!(service.spec().contains("cloneThing"));
}
