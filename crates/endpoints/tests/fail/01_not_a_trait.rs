use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
/// Not a trait.
pub struct WidgetEndpoints {
    name: PlainText<String>,
}

fn main() {}
