use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// Retrieve
    #[oai(path = "/a", method = "get", operation_id = "getWidget")]
    async fn first(&self) -> PlainText<String>;

    /// Retrieve again
    #[oai(path = "/b", method = "get", operation_id = "getWidget")]
    async fn second(&self) -> PlainText<String>;
}

fn main() {}
