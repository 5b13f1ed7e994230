//! v2.

use progenitor::progenitor_client::ClientInfo;
use reqwest::header::ACCEPT;

use crate::{
    NAMES, Outcome, PASSWORD, Servers, THINGS, done, email,
    generated::v2::{Client, Error, types},
    logged_in,
};

fn name() -> Option<types::RegistrationName> {
    "Ada".parse().ok()
}

pub async fn run(servers: &Servers) -> Outcome {
    let base = format!("{}/v2", servers.base);
    let session = Client::new(&base)
        .register()
        .body_map(|body| body.email(email("rust").unwrap_or_default()).password(PASSWORD).name(name()))
        .send()
        .await?;
    assert_eq!(session.user.role, "user");
    done("v2 register");

    let client = Client::new_with_client(&base, logged_in(&session.access_token)?);
    for name in NAMES {
        let created = client.create_bucketlist().body_map(|body| body.name(name)).send().await?;
        assert_eq!(created.description, None);
    }
    let list_id = client.list_bucketlists().q("zürich").send().await?.data[0].id;
    let mut last = None;
    for name in THINGS {
        let due_on = chrono::NaiveDate::from_ymd_opt(2027, 2, 1);
        let body = types::ItemCreate::builder().name(name).due_on(due_on);
        let item = client.create_item().bucketlist_id(list_id).body(body).send().await?;
        assert_eq!(item.due_on, due_on);
        last = Some(item.id);
    }
    done("v2 create");

    let mut seen = Vec::new();
    let mut cursor = Some(String::new());
    while let Some(at) = cursor.filter(|_| seen.len() < 20) {
        let page = client.list_bucketlists().cursor(at).per_page(2).sort("created_at").send().await?;
        seen.extend(page.data.iter().map(|each| each.name.to_string()));
        cursor = match &page.links.next {
            Some(link) => {
                let url = reqwest::Url::parse(&servers.base)?.join(link)?;
                url.query_pairs().find(|(name, _)| name == "cursor").map(|(_, value)| value.into_owned())
            }
            None => None,
        };
    }
    assert_eq!(seen, NAMES);
    done("v2 pages");

    let item_id = last.ok_or("no item")?;
    let changed =
        client.update_item().bucketlist_id(list_id).item_id(item_id).body_map(|body| body.done(true)).send().await?;
    assert!(changed.done && changed.done_at.is_some());
    done("v2 change");

    let after = "2025-01-01T00:00:00.123456789+02:00".parse::<chrono::DateTime<chrono::Utc>>()?;
    let include = vec![types::BucketlistListInclude::Total];
    let counted = client.list_bucketlists().created_after(after).include(include).send().await?;
    assert_eq!(counted.meta.total, i64::try_from(NAMES.len()).ok());
    let export = client.create_export().body_map(|body| body.format(types::ExportFormat::Csv)).send().await?;
    assert!(export.format.to_string() == "csv" && export.created_at > after);
    done("v2 values");

    let rejected = client
        .register()
        .body_map(|body| body.email(email("rust").unwrap_or_default()).password("password123").name(name()))
        .send()
        .await;
    match rejected {
        Err(Error::ErrorResponse(response)) => {
            let problem: &types::Problem = &response;
            assert_eq!((response.status().as_u16(), problem.code.as_str()), (422, "VALIDATION_FAILED"));
            assert_eq!(problem.errors[0].pointer.as_ref().map(|text| &***text), Some("/password"));
        }
        other => return Err(format!("a common password: {other:?}").into()),
    }
    done("v2 error");

    let future = Client::new_with_client(&format!("{}/v2", servers.future), logged_in(&session.access_token)?);
    assert_eq!(future.get_me().send().await?.role, "SOMETHING_NEW");
    assert_eq!(future.list_bucketlists().send().await?.data.len(), NAMES.len());
    match future.get_bucketlist().bucketlist_id(987_654).send().await {
        Err(Error::ErrorResponse(response)) => assert_eq!(response.code, "SOMETHING_NEW"),
        other => return Err(format!("a list that is not there: {other:?}").into()),
    }
    done("v2 tolerance");

    // The generated function supports only JSON; use the underlying HTTP client.
    let url = format!("{base}/bucketlists/{list_id}/items");
    let text = client.client().get(url).header(ACCEPT, "text/csv").send().await?.error_for_status()?.text().await?;
    let rows: Vec<&str> = text.trim_end().split("\r\n").collect();
    assert_eq!(rows.len(), 1 + THINGS.len());
    assert!(rows[0].starts_with("id,bucketlist_id,name,"));
    done("v2 csv");
    Ok(())
}
