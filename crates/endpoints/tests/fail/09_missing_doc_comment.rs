use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    #[oai(path = "/a", method = "get", operation_id = "a")]
    async fn a(&self) -> PlainText<String>;

    ///
    #[oai(path = "/b", method = "get", operation_id = "b")]
    async fn b(&self) -> PlainText<String>;
}

fn main() {}
