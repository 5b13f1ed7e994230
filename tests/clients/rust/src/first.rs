//! v1.

use crate::{
    NAMES, Outcome, PASSWORD, Servers, done, email,
    generated::v1::{Client, Error, types},
    logged_in,
};

fn name() -> Option<types::RegistrationName> {
    "Ada".parse().ok()
}

pub async fn run(servers: &Servers) -> Outcome {
    let base = format!("{}/v1", servers.base);
    let session = Client::new(&base)
        .register()
        .body_map(|body| body.email(email("rust").unwrap_or_default()).password(PASSWORD).name(name()))
        .send()
        .await?;
    done("v1 register");

    let client = Client::new_with_client(&base, logged_in(&session.access_token)?);
    for name in NAMES {
        let description = Some("A place.".parse()?);
        let body = types::BucketlistCreate::builder().name(name).description(description);
        let created = client.create_bucketlist().body(body).send().await?;
        assert_eq!(created.description.as_ref().map(|text| &***text), Some("A place."));
    }
    done("v1 create");

    let mut seen = Vec::new();
    let (mut number, mut last) = (1, 1);
    while number <= last {
        let page = client.list_bucketlists().page(number).per_page(2).send().await?;
        seen.extend(page.data.iter().map(|each| each.name.to_string()));
        last = u32::try_from(page.meta.pages)?;
        number += 1;
    }
    seen.sort();
    let mut names = NAMES.map(str::to_owned);
    names.sort();
    assert_eq!(seen, names);
    done("v1 pages");

    let rejected = client
        .register()
        .body_map(|body| body.email(email("rust").unwrap_or_default()).password("password123").name(name()))
        .send()
        .await;
    match rejected {
        Err(Error::ErrorResponse(response)) => {
            let failure: &types::Failure = &response.error;
            assert_eq!((response.status().as_u16(), failure.code.as_str()), (422, "VALIDATION_FAILED"));
            assert_eq!(failure.details[0].field.to_string(), "/password");
        }
        other => return Err(format!("a common password: {other:?}").into()),
    }
    done("v1 error");

    let future = Client::new_with_client(&format!("{}/v1", servers.future), logged_in(&session.access_token)?);
    assert_eq!(future.get_me().send().await?.role, "SOMETHING_NEW");
    done("v1 tolerance");
    Ok(())
}
