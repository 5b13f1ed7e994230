use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints]
trait WidgetEndpoints {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    async fn get(&self) -> PlainText<String>;
}

#[endpoints(prefix_path = "/gadgets")]
trait GadgetEndpoints {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getGadget")]
    async fn get(&self) -> PlainText<String>;
}

#[endpoints("ThingRoutes")]
trait Things {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getThing")]
    async fn get(&self) -> PlainText<String>;
}

fn main() {}
