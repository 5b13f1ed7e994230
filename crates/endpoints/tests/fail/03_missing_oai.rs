use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// Retrieve
    async fn get(&self) -> PlainText<String>;
}

fn main() {}
