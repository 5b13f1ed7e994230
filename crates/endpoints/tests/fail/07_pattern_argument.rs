use endpoints::endpoints;
use poem_openapi::payload::PlainText;

use poem_openapi::param::Path;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// With patterns.
    #[oai(path = "/:id/:name/:size", method = "get", operation_id = "getWidget")]
    async fn get(&self, Path(id): Path<u8>, _: Path<u8>, mut size: Path<u8>) -> PlainText<String>;
}

fn main() {}
