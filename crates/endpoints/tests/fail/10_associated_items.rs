use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// The type of a widget.
    type Widget;

    /// Maximum number of widgets.
    const MAXIMUM: usize;

    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    async fn get(&self) -> PlainText<String>;
}

fn main() {}
