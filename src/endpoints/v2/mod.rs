//! Version 2 of the API: implements its endpoint traits with the services.

mod admin;
mod audit;
mod auth;
mod bucketlists;
mod conditions;
mod cursors;
mod exports;
mod incidents;
mod items;
mod pages;
mod representations;
mod search;
pub mod tables;
mod users;

use contract::v2::endpoints::{
    AdminUserRoutes, AuditRoutes, AuthRoutes, BucketlistRoutes, ExportRoutes, IncidentRoutes, ItemRoutes, SearchRoutes,
    UserRoutes,
};
use poem_openapi::OpenApiService;

pub use admin::AdminUserApi;
pub use audit::AuditApi;
pub use auth::AuthApi;
pub use bucketlists::BucketlistApi;
pub use conditions::Conditions;
pub use cursors::Cursors;
pub use exports::ExportApi;
pub use incidents::IncidentRecords;
pub use items::ItemApi;
pub use search::SearchApi;
pub use users::UserApi;

use crate::{auth::Signer, services::Services};

/// The routes of v2.
pub type Api = (
    AuthRoutes<AuthApi>,
    UserRoutes<UserApi>,
    BucketlistRoutes<BucketlistApi>,
    ItemRoutes<ItemApi>,
    SearchRoutes<SearchApi>,
    ExportRoutes<ExportApi>,
    AdminUserRoutes<AdminUserApi>,
    AuditRoutes<AuditApi>,
    IncidentRoutes<IncidentRecords>,
);

/// Creates the service to nest at `/v2`. `signer` signs cursors. With `requires_if_match`, operations that change a resource
/// require `If-Match`. `public_url` is the URL at which clients reach the server.
#[must_use]
pub fn service(
    services: &Services,
    signer: Signer,
    requires_if_match: bool,
    public_url: &str,
) -> OpenApiService<Api, ()> {
    let (cursors, conditions) = (Cursors::new(signer), Conditions { required: requires_if_match });
    let api = (
        AuthRoutes(AuthApi {
            accounts: services.accounts.clone(),
            sessions: services.sessions.clone(),
            cursors: cursors.clone(),
        }),
        UserRoutes(UserApi { users: services.users.clone(), conditions }),
        BucketlistRoutes(BucketlistApi { lists: services.bucketlists.clone(), cursors: cursors.clone(), conditions }),
        ItemRoutes(ItemApi { items: services.items.clone(), cursors: cursors.clone(), conditions }),
        SearchRoutes(SearchApi { search: services.search.clone(), cursors: cursors.clone() }),
        ExportRoutes(ExportApi { exports: services.exports.clone() }),
        AdminUserRoutes(AdminUserApi { users: services.users.clone(), cursors: cursors.clone(), conditions }),
        AuditRoutes(AuditApi { audit: services.audit.clone(), cursors: cursors.clone() }),
        IncidentRoutes(IncidentRecords {
            incidents: services.incidents.clone(),
            cursors,
            conditions,
            public_url: public_url.into(),
        }),
    );
    OpenApiService::new(api, "BucketList API", "2.0.0")
}
