use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
unsafe trait WidgetEndpoints {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    async fn get(&self) -> PlainText<String>;
}

fn main() {}
