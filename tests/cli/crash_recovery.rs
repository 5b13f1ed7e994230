//! A killed server loses no acknowledged write.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use serde_json::json;

use crate::support::{Sandbox, send};

both_engines! {
    fn kill_9_loses_no_acknowledged_write(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("RATE_LIMIT", "off");
        let mut server = sandbox.serve();
        let token = server.register("ada@example.com");
        let address = server.address;
        let (acknowledge, acknowledged) = mpsc::channel();
        let stop = AtomicBool::new(false);
        let mut known = Vec::new();
        thread::scope(|scope| {
            for writer in 0..4 {
                let (acknowledge, token, stop) = (acknowledge.clone(), token.as_str(), &stop);
                scope.spawn(move || {
                    for number in 0.. {
                        if stop.load(Ordering::SeqCst) {
                            return;
                        }
                        // A bucketlist with an item: two writes, the second with two statements.
                        let body = json!({"name": format!("{writer}/{number}")});
                        let Ok(created) = send(address, "POST", "/v1/bucketlists", Some(token), Some(&body)) else { return };
                        let list = created.expect(201).json()["id"].as_i64().unwrap();
                        acknowledge.send((list, None)).unwrap();
                        let path = format!("/v1/bucketlists/{list}/items");
                        let Ok(created) = send(address, "POST", &path, Some(token), Some(&body)) else { return };
                        let item = created.expect(201).json()["id"].as_i64().unwrap();
                        acknowledge.send((list, Some(item))).unwrap();
                    }
                });
            }
            drop(acknowledge);
            // The server is killed while the writers run.
            known.extend(acknowledged.iter().take(120));
            server.kill();
            stop.store(true, Ordering::SeqCst);
            known.extend(acknowledged.iter());
        });
        assert!(known.len() >= 120);

        let server = sandbox.serve();
        server.get("/health/ready", None).expect(200);
        let mut items_of = BTreeMap::<i64, i64>::new();
        for (list, item) in known {
            let path = format!("/v1/bucketlists/{list}");
            match item {
                None => {
                    let response = server.get(&path, Some(&token)).expect(200).json();
                    items_of.insert(list, response["items_total"].as_i64().unwrap());
                }
                Some(item) => {
                    server.get(&format!("{path}/items/{item}"), Some(&token)).expect(200);
                    assert_eq!(items_of[&list], 1, "the counter and the item are committed together");
                }
            }
        }
        // Writes in flight were committed completely or not at all.
        let c = &mut sandbox.migrator();
        let difference = {
            use bucketlist::db::schema::{bucketlists, items};
            use diesel::{dsl::count_star, prelude::*};
            let c = c.connection();
            let counters: Vec<i64> = bucketlists::table.select(bucketlists::items_total).load(c).unwrap();
            let rows: i64 = items::table.select(count_star()).first(c).unwrap();
            counters.iter().sum::<i64>() - rows
        };
        assert_eq!(difference, 0);
        server.stop();
    }
}
