use endpoints::endpoints;
use poem_openapi::payload::PlainText;

use poem_openapi::param::Query;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// Retrieve
    #[oai(path = "/a", method = "get", operation_id = "a")]
    #[cfg(debug_assertions)]
    async fn a(&self) -> PlainText<String>;

    /// Retrieve
    #[oai(path = "/b", method = "get", operation_id = "b")]
    async fn b(&self, #[cfg(debug_assertions)] verbose: Query<bool>) -> PlainText<String>;
}

fn main() {}
