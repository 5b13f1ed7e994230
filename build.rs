//! Sets the commit and the build time as environment variables of the compiler.

use std::{env, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    // `embed_migrations!` does not track new files.
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-env-changed=BUCKETLIST_COMMIT");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // A build without a Git repository, such as from a source archive, can set `BUCKETLIST_COMMIT`.
    let commit = env::var("BUCKETLIST_COMMIT").ok().or_else(|| output("git", &["rev-parse", "--short=12", "HEAD"]));
    let build_time = env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|seconds| output("date", &["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"]))
        .or_else(|| output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]));
    println!("cargo:rustc-env=BUCKETLIST_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo:rustc-env=BUCKETLIST_BUILD_TIME={}", build_time.as_deref().unwrap_or("unknown"));
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
