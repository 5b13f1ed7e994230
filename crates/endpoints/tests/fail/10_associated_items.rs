use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// The type of a widget.
    type Widget;

    /// How many there may be.
    const MAXIMUM: usize;

    /// Fetch.
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    async fn get(&self) -> PlainText<String>;
}

fn main() {}
