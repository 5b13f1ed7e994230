use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    #[operation(errors(&[404]))]
    async fn get(&self) -> PlainText<String>;
}

fn main() {}
