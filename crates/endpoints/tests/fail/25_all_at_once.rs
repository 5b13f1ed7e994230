use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints]
trait WidgetEndpoints {
    type Widget;

    fn first();

    #[oai(path = "/", method = "get")]
    async fn second(&self, (): ()) {}
}

// The trait is there nevertheless: its implementations add no error to those above.
struct Widgets;

impl WidgetEndpoints for Widgets {
    type Widget = PlainText<String>;
    fn first() {}
    async fn second(&self, (): ()) {}
}

fn main() {}
