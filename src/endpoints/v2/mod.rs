//! v2 over the services: the same ones as v1's.

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

pub use admin::AdminUsers;
pub use audit::AuditTrail;
pub use auth::Auth;
pub use bucketlists::BucketlistLists;
pub use conditions::Conditions;
pub use cursors::Cursors;
pub use exports::ExportFiles;
pub use incidents::IncidentRecords;
pub use items::ItemLists;
pub use search::SearchText;
pub use users::UserAccounts;

use crate::{auth::Signer, services::Services};

/// All of v2.
pub type Api = (
    AuthRoutes<Auth>,
    UserRoutes<UserAccounts>,
    BucketlistRoutes<BucketlistLists>,
    ItemRoutes<ItemLists>,
    SearchRoutes<SearchText>,
    ExportRoutes<ExportFiles>,
    AdminUserRoutes<AdminUsers>,
    AuditRoutes<AuditTrail>,
    IncidentRoutes<IncidentRecords>,
);

/// v2 as a service to be nested at `/v2`. `signer` signs cursors; with `requires_if_match` changes must say which state
/// they are meant for; `public_url` is where clients reach the server.
#[must_use]
pub fn service(
    services: &Services,
    signer: Signer,
    requires_if_match: bool,
    public_url: &str,
) -> OpenApiService<Api, ()> {
    let (cursors, conditions) = (Cursors::new(signer), Conditions { required: requires_if_match });
    let api = (
        AuthRoutes(Auth {
            accounts: services.accounts.clone(),
            sessions: services.sessions.clone(),
            cursors: cursors.clone(),
        }),
        UserRoutes(UserAccounts { users: services.users.clone(), conditions }),
        BucketlistRoutes(BucketlistLists { lists: services.bucketlists.clone(), cursors: cursors.clone(), conditions }),
        ItemRoutes(ItemLists { items: services.items.clone(), cursors: cursors.clone(), conditions }),
        SearchRoutes(SearchText { search: services.search.clone(), cursors: cursors.clone() }),
        ExportRoutes(ExportFiles { exports: services.exports.clone() }),
        AdminUserRoutes(AdminUsers { users: services.users.clone(), cursors: cursors.clone(), conditions }),
        AuditRoutes(AuditTrail { audit: services.audit.clone(), cursors: cursors.clone() }),
        IncidentRoutes(IncidentRecords {
            incidents: services.incidents.clone(),
            cursors,
            conditions,
            public_url: public_url.into(),
        }),
    );
    OpenApiService::new(api, "BucketList API", "2.0.0")
}
