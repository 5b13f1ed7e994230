use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints]
trait WidgetEndpoints {
    type Widget;

    fn first();

    #[oai(path = "/", method = "get")]
    async fn second(&self, (): ()) {}
}

// The trait is still generated, so that its implementations do not report follow-up errors.
struct Widgets;

impl WidgetEndpoints for Widgets {
    type Widget = PlainText<String>;
    fn first() {}
    async fn second(&self, (): ()) {}
}

fn main() {}
