use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// Fetch.
    async fn get(&self) -> PlainText<String>;
}

fn main() {}
