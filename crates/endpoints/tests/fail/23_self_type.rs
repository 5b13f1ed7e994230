use endpoints::endpoints;
use poem_openapi::payload::PlainText;

use poem_openapi::param::Path;

trait Types {
    type Id;
}

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints: Types {
    /// Retrieve
    #[oai(path = "/:id", method = "get", operation_id = "getWidget")]
    async fn get(&self, id: Path<Self::Id>) -> PlainText<String>;
}

fn main() {}
