use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints]
trait WidgetEndpoints {
    /// Fetch.
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    async fn get(&self) -> PlainText<String>;
}

#[endpoints(prefix_path = "/gadgets")]
trait GadgetEndpoints {
    /// Fetch.
    #[oai(path = "/", method = "get", operation_id = "getGadget")]
    async fn get(&self) -> PlainText<String>;
}

#[endpoints("ThingRoutes")]
trait Things {
    /// Fetch.
    #[oai(path = "/", method = "get", operation_id = "getThing")]
    async fn get(&self) -> PlainText<String>;
}

fn main() {}
