//! `bucketlist seed`.

use bucketlist::db::schema::{bucketlists, items, users};
use diesel::{dsl::count_star, prelude::*};

use crate::support::Sandbox;

/// Returns the number of users, bucketlists and items.
fn counts(sandbox: &Sandbox) -> (i64, i64, i64) {
    let mut migrator = sandbox.migrator();
    let c = migrator.connection();
    (
        users::table.select(count_star()).first(c).unwrap(),
        bucketlists::table.select(count_star()).first(c).unwrap(),
        items::table.select(count_star()).first(c).unwrap(),
    )
}

fn names(sandbox: &Sandbox) -> Vec<String> {
    items::table.order(items::id).select(items::name).load(sandbox.migrator().connection()).unwrap()
}

const DUMMY: [&str; 10] = ["seed", "--dummy", "--users", "2", "--lists", "2", "--items", "3", "--rng-seed", "1"];

both_engines! {
    fn standard_seed_is_applied_once(engine: Engine) {
        let sandbox = Sandbox::on(engine);
        let output = sandbox.run(&["seed"]).expect_success();
        assert_eq!(output, "Sample data inserted. Users: admin@example.com and demo@example.com.\n");
        let after = counts(&sandbox);
        assert!(after.0 == 2 && after.1 >= 3 && after.2 >= 6, "{after:?}");
        assert_eq!(sandbox.run(&["seed"]).expect_success(), "The database is not empty. Nothing was inserted.\n");
        assert_eq!(counts(&sandbox), after);
    }

    fn dummy_seed_creates_the_requested_amount_once(engine: Engine) {
        let sandbox = Sandbox::on(engine);
        let output = sandbox.run(&DUMMY).expect_success();
        assert!(output.starts_with("Inserted 2 users, 4 bucketlists and 12 items in "), "{output}");
        assert_eq!(counts(&sandbox), (2, 4, 12));
        let error = sandbox.run(&DUMMY).expect_error();
        assert!(error.contains("help: choose another --rng-seed"), "{error}");
        assert_eq!(counts(&sandbox), (2, 4, 12));
        let mut other = DUMMY;
        other[9] = "2";
        let _ = sandbox.run(&other).expect_exit_code(0);
        assert_eq!(counts(&sandbox), (4, 8, 24));
    }
}

#[test]
fn number_of_generated_rows_is_bounded() {
    let sandbox = Sandbox::new();
    for name in ["--users", "--lists", "--items"] {
        let outcome = sandbox.run(&["seed", "--dummy", name, "1000001"]).expect_exit_code(2);
        assert!(outcome.err.contains("1000001 is not in 0..=1000000"), "{outcome:?}");
    }
    let error =
        sandbox.run(&["seed", "--dummy", "--users", "1000000", "--lists", "100", "--items", "11"]).expect_error();
    let message = "1000000 users with 100 bucketlists of 11 items have more than 1000000000 items";
    assert_eq!(error, format!("{message}\nhelp: choose smaller numbers"));
    assert!(!sandbox.exists("data"));
}

#[test]
fn rng_seed_determines_the_data() {
    let [first, second, third] = [(); 3].map(|()| Sandbox::new());
    let mut other = DUMMY;
    other[9] = "2";
    for (sandbox, arguments) in [(&first, DUMMY), (&second, DUMMY), (&third, other)] {
        let _ = sandbox.run(&arguments).expect_exit_code(0);
    }
    assert_eq!(names(&first), names(&second));
    assert_ne!(names(&first), names(&third));
}
