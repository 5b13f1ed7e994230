//! Bucketlists.

use crate::support::{TestApp, json};

both_engines! {
    async fn a_bucketlist_is_made_read_replaced_and_deleted(engine: Engine) {
        let app = TestApp::on(engine).await;
        let user = app.user().await;
        let body = json!({"name": "  See the world ", "description": "Places\nto stand in."});
        let made = user.post("/v1/bucketlists", &body).await.expect(201);
        let list = made.json();
        assert_eq!(list["name"], "See the world");
        assert_eq!(list["description"], "Places\nto stand in.");
        assert_eq!((&list["items_total"], &list["items_done"]), (&json!(0), &json!(0)));
        assert_eq!(list["created_at"], "2027-01-15T08:00:00.000000Z");
        let path = format!("/v1/bucketlists/{}", list["id"]);
        assert_eq!(made.header("location"), path);
        assert_eq!(user.get(&path).await.expect(200).json(), list);

        app.wait(std::time::Duration::from_micros(1_500_001));
        let replaced = user.put(&path, &json!({"name": "See it all"})).await.expect(200).json();
        assert_eq!(replaced["name"], "See it all");
        assert_eq!(replaced["description"], json!(null), "what is left out becomes null");
        assert_eq!(replaced["created_at"], list["created_at"]);
        assert_eq!(replaced["updated_at"], "2027-01-15T08:00:01.500001Z");

        user.delete(&path).await.expect(204);
        user.get(&path).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
        user.delete(&path).await.expect_error(404, "BUCKETLIST_NOT_FOUND");
    }
}
