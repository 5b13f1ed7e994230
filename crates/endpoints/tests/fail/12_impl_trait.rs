use endpoints::endpoints;
use poem_openapi::payload::PlainText;

use poem_openapi::{ApiResponse, param::Path, types::ParseFromParameter};

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// Retrieve
    #[oai(path = "/:id", method = "get", operation_id = "getWidget")]
    async fn get(&self, id: Path<impl ParseFromParameter>) -> PlainText<String>;

    /// Return `impl Trait`
    #[oai(path = "/", method = "get", operation_id = "getAnything")]
    async fn any(&self) -> impl ApiResponse;
}

fn main() {}
