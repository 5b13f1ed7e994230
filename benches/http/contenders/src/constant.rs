//! A server that returns a constant page: what poem, hyper and the kernel cost without any work.

use std::error::Error;

use poem::{EndpointExt, Response, Route, Server, get, handler, listener::TcpListener, web::Data};

const PAGE: &str = r#"{"id":1,"name":"See the world","description":"Places to visit once.","items_total":5,"items_done":1,"created_at":"2026-01-01T00:00:00.000000Z","updated_at":"2026-01-01T00:00:00.000000Z"}"#;

#[handler]
fn page(Data(page): Data<&&'static str>) -> Response {
    Response::builder().content_type("application/json").body(*page)
}

pub(crate) async fn serve(address: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let routes = Route::new().at("/*path", get(page)).data(PAGE);
    Ok(Server::new(TcpListener::bind(address.to_owned())).run(routes).await?)
}
