//! `/v1/bucketlists/{bucketlist_id}/items`.

use contract::{
    ApiError, Json, User,
    responses::NoContent,
    v1::{
        endpoints::{Created, ItemEndpoints},
        schemas::{Item, ItemCreate, ItemPage, ItemReplace},
    },
    values::{Date, Id, Nullable, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::pages;
use crate::{
    domain::{self, BucketlistId, ItemContent, ItemId, ItemScope, UserId},
    services::{Items, Precondition},
};

/// Implements the endpoints of items.
pub struct ItemApi(pub Items);

impl ItemEndpoints for ItemApi {
    async fn list(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        page: Query<i32>,
        per_page: Query<i32>,
        q: Query<Option<SearchText>>,
    ) -> Result<Json<ItemPage>, ApiError> {
        let scope = scope(&caller, &bucketlist_id);
        let query = pages::query(page.0, per_page.0, q.0);
        let page = self.0.list_by_offset(scope, query.clone()).await?;
        let path = format!("/v1/bucketlists/{}/items", scope.bucketlist_id);
        let (meta, links) = pages::meta_and_links(&path, &query, page.total);
        let data = page.data.into_iter().map(item).collect();
        Ok(Json(ItemPage { data, meta, links }))
    }

    async fn create(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Json(body): Json<ItemCreate>,
    ) -> Result<Created<Item>, ApiError> {
        let content = ItemContent {
            name: body.name,
            description: body.description,
            done: body.done.unwrap_or_default(),
            due_on: body.due_on.map(|Date(date)| date),
        };
        let created = self.0.create(scope(&caller, &bucketlist_id), content, None).await?.value.value;
        let location = format!("/v1/bucketlists/{}/items/{}", created.bucketlist_id, created.id);
        Ok(Created::Created(Json(item(created)), location))
    }

    async fn get(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
    ) -> Result<Json<Item>, ApiError> {
        let found = self.0.get(scope(&caller, &bucketlist_id), ItemId::new(item_id)).await?;
        Ok(Json(item(found.value)))
    }

    async fn replace(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
        Json(body): Json<ItemReplace>,
    ) -> Result<Json<Item>, ApiError> {
        let content = ItemContent {
            name: body.name,
            description: body.description,
            done: body.done.unwrap_or_default(),
            due_on: body.due_on.map(|Date(date)| date),
        };
        let (scope, id) = (scope(&caller, &bucketlist_id), ItemId::new(item_id));
        let replaced = self.0.replace(scope, id, content, Precondition::None).await?;
        Ok(Json(item(replaced.value)))
    }

    async fn delete(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
    ) -> Result<NoContent, ApiError> {
        self.0.delete(scope(&caller, &bucketlist_id), ItemId::new(item_id), Precondition::None).await?;
        Ok(NoContent)
    }
}

fn scope(User(caller): &User, Path(Id(bucketlist_id)): &Path<Id>) -> ItemScope {
    ItemScope { owner: UserId::new(caller.user_id), bucketlist_id: BucketlistId::new(*bucketlist_id) }
}

fn item(item: domain::Item) -> Item {
    Item {
        id: Id(item.id.get()),
        bucketlist_id: Id(item.bucketlist_id.get()),
        name: item.name,
        description: Nullable(item.description),
        done: item.done,
        done_at: Nullable(item.done_at.map(|time| Timestamp::from_micros(time.micros()))),
        due_on: Nullable(item.due_on.map(Date)),
        created_at: Timestamp::from_micros(item.created_at.micros()),
        updated_at: Timestamp::from_micros(item.updated_at.micros()),
    }
}
