use endpoints::endpoints;
use poem_openapi::payload::PlainText;

use poem_openapi::param::Path;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// With a type parameter.
    #[oai(path = "/:id", method = "get", operation_id = "getWidget")]
    async fn get<Id: Send>(&self, id: Path<Id>) -> PlainText<String>;

    /// With a condition.
    #[oai(path = "/", method = "get", operation_id = "getWidgets")]
    async fn list(&self) -> PlainText<String>
    where
        Self: Sized;
}

fn main() {}
