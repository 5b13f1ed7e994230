use endpoints::endpoints;
use poem_openapi::payload::PlainText;

use std::rc::Rc;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints: Send + Sync + 'static {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    async fn get(&self) -> PlainText<String>;
}

struct Widgets;

impl WidgetEndpoints for Widgets {
    async fn get(&self) -> PlainText<String> {
        let name = Rc::new(String::new());
        std::future::ready(()).await;
        PlainText(name.to_string())
    }
}

fn main() {}
