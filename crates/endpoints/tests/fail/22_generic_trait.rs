use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints<Widget> {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    async fn get(&self) -> PlainText<String>;
}

#[endpoints(GadgetRoutes)]
trait GadgetEndpoints {}

fn main() {}
