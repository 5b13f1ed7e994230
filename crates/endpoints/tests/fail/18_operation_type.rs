use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes, operation = 7)]
trait WidgetEndpoints {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    async fn get(&self) -> PlainText<String>;
}

#[endpoints(GadgetRoutes, operation = "not a type")]
trait GadgetEndpoints {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getGadget")]
    async fn get(&self) -> PlainText<String>;
}

#[endpoints(ThingRoutes, operation = "A", operation = "B")]
trait ThingEndpoints {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getThing")]
    async fn get(&self) -> PlainText<String>;
}

fn main() {}
