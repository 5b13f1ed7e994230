//! Version 2 of the API: implements its endpoint traits with the services.

mod admin;
mod api_clients;
mod audit;
mod auth;
mod bucketlists;
mod conditions;
mod cursors;
mod deprecations;
mod exports;
mod imports;
mod incident_representations;
mod incidents;
mod items;
mod jobs;
mod pages;
mod profiles;
mod representations;
mod search;
pub mod tables;
mod usage;
mod users;

use contract::v2;
use poem_openapi::{OpenApi, OpenApiService};

pub use admin::AdminUserApi;
pub use api_clients::ApiClientApi;
pub use audit::AuditApi;
pub use auth::AuthApi;
pub use bucketlists::BucketlistApi;
pub use conditions::Conditions;
pub use cursors::Cursors;
pub use deprecations::deprecation;
pub use exports::ExportApi;
pub use imports::ImportApi;
pub use incidents::IncidentApi;
pub use items::ItemApi;
pub use jobs::JobApi;
pub use profiles::ProfileApi;
pub use search::SearchApi;
pub use usage::{UsageApi, usage_row};
pub use users::UserApi;

use crate::{auth::Signer, services::Services};

/// Creates the service to nest at `/v2`. `signer` signs cursors. With `requires_if_match`, operations that change a resource
/// require `If-Match`. `public_url` is the URL at which clients reach the server.
#[must_use]
pub fn service(
    services: &Services,
    signer: Signer,
    requires_if_match: bool,
    public_url: &str,
) -> OpenApiService<impl OpenApi + 'static, ()> {
    let (cursors, conditions) = (Cursors::new(signer), Conditions { required: requires_if_match });
    let api = v2::document::Api {
        auth: AuthApi {
            accounts: services.accounts.clone(),
            sessions: services.sessions.clone(),
            cursors: cursors.clone(),
        },
        users: UserApi { users: services.users.clone(), conditions },
        bucketlists: BucketlistApi { lists: services.bucketlists.clone(), cursors: cursors.clone(), conditions },
        items: ItemApi { items: services.items.clone(), cursors: cursors.clone(), conditions },
        search: SearchApi { search: services.search.clone(), cursors: cursors.clone() },
        exports: ExportApi { exports: services.exports.clone() },
        imports: ImportApi { imports: services.imports.clone() },
        admin_users: AdminUserApi { users: services.users.clone(), cursors: cursors.clone(), conditions },
        audit: AuditApi { audit: services.audit.clone(), cursors: cursors.clone() },
        api_clients: ApiClientApi { api_clients: services.api_clients.clone(), cursors: cursors.clone(), conditions },
        incidents: IncidentApi {
            incidents: services.incidents.clone(),
            replays: services.replays.clone(),
            cursors: cursors.clone(),
            conditions,
            public_url: public_url.into(),
        },
        usage: UsageApi {
            usage: services.usage.clone(),
            deprecations: services.deprecations.clone(),
            cursors: cursors.clone(),
        },
        jobs: JobApi { jobs: services.jobs.clone(), exports: services.exports.clone(), cursors, conditions },
        profiles: ProfileApi { profiles: services.profiles.clone() },
    };
    api.into_service()
}
