use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// Retrieve
    #[oai(path = "/a", method = "get", operation_id = "a")]
    #[oai(deprecated)]
    async fn a(&self) -> PlainText<String>;

    /// Retrieve with two methods
    #[oai(path = "/b", method = "get", method = "head", operation_id = "b")]
    async fn b(&self) -> PlainText<String>;
}

fn main() {}
