//! Items of bucketlists.

use contract::{
    ApiError, Json, User,
    v1::{
        endpoints::{ItemCreated, ItemDeleted, ItemEndpoints, Items as Answer, OneItem},
        schemas::{Item, ItemCreate, ItemPage, ItemReplace},
    },
    values::{Date, Id, Nullable, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::pages;
use crate::{
    db::repositories::items::{ItemRow, ItemScope},
    services::{ItemContent, Items, Precondition},
};

/// `/v1/bucketlists/{bucketlist_id}/items` over the items.
pub struct ItemLists(pub Items);

impl ItemEndpoints for ItemLists {
    async fn list(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        page: Query<i32>,
        per_page: Query<i32>,
        q: Query<Option<SearchText>>,
    ) -> Result<Answer, ApiError> {
        let place = place(&caller, bucketlist_id);
        let request = pages::request(page.0, per_page.0, q.0);
        let found = self.0.list(place, request.clone()).await?;
        let path = format!("/v1/bucketlists/{}/items", place.bucketlist_id);
        let (meta, links) = pages::frame(&path, &request, found.total);
        let data = found.rows.into_iter().map(item).collect();
        Ok(Answer::Ok(Json(ItemPage { data, meta, links })))
    }

    async fn create(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Json(body): Json<ItemCreate>,
    ) -> Result<ItemCreated, ApiError> {
        let content = ItemContent {
            name: body.name,
            description: body.description,
            done: body.done.unwrap_or_default(),
            due_on: body.due_on.map(|Date(date)| date),
        };
        let row = self.0.create(place(&caller, bucketlist_id), content, None).await?.value;
        let location = format!("/v1/bucketlists/{}/items/{}", row.bucketlist_id, row.id);
        Ok(ItemCreated::Created(Json(item(row)), location))
    }

    async fn get(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
    ) -> Result<OneItem, ApiError> {
        Ok(OneItem::Ok(Json(item(self.0.get(place(&caller, bucketlist_id), item_id).await?))))
    }

    async fn replace(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
        Json(body): Json<ItemReplace>,
    ) -> Result<OneItem, ApiError> {
        let content = ItemContent {
            name: body.name,
            description: body.description,
            done: body.done.unwrap_or_default(),
            due_on: body.due_on.map(|Date(date)| date),
        };
        let row = self.0.replace(place(&caller, bucketlist_id), item_id, content, Precondition::None).await?;
        Ok(OneItem::Ok(Json(item(row))))
    }

    async fn delete(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
    ) -> Result<ItemDeleted, ApiError> {
        self.0.delete(place(&caller, bucketlist_id), item_id, Precondition::None).await?;
        Ok(ItemDeleted::Done)
    }
}

fn place(User(caller): &User, Path(Id(bucketlist_id)): Path<Id>) -> ItemScope {
    ItemScope { owner: caller.user_id, bucketlist_id }
}

fn item(row: ItemRow) -> Item {
    Item {
        id: Id(row.id),
        bucketlist_id: Id(row.bucketlist_id),
        name: row.name,
        description: Nullable(row.description),
        done: row.done,
        done_at: Nullable(row.done_at.map(Timestamp::from_micros)),
        due_on: Nullable(row.due_on.map(Date)),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    }
}
