use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    async fn get(&self);
}

type Unused = PlainText<String>;

fn main() {}
