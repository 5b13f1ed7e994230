//! The test kit: apps, actors, responses.

mod actor;
mod app;
mod database;
mod log;
mod mailer;
mod response;

pub use actor::{Actor, RequestBuilder};
pub use app::{SECRET, START, TestApp};
pub use database::{Database, Engine};
pub use log::{LogCapture, LogFormat};
pub use mailer::MemoryMailer;
pub use response::{TestResponse, UncheckedResponse};
pub use serde_json::{Value, json};

/// Runs each scenario on both engines: `async fn name(engine: Engine) { … }` becomes `name::sqlite` and `name::postgres`.
macro_rules! both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($engine:ident: Engine) $body:block)+) => {
        $(
            $(#[$meta])*
            mod $name {
                #[allow(unused_imports)]
                use super::*;

                async fn scenario($engine: crate::support::Engine) $body

                #[tokio::test]
                async fn sqlite() {
                    scenario(crate::support::Engine::Sqlite).await;
                }

                #[tokio::test]
                async fn postgres() {
                    scenario(crate::support::Engine::Postgres).await;
                }
            }
        )+
    };
}
