//! Help, version and usage errors of the command line.

use clap::CommandFactory;

use crate::support::Sandbox;

#[test]
fn help_lists_every_command_with_its_description() {
    let help = Sandbox::new().run(&["--help"]).expect_success();
    for name in ["serve", "migrate", "seed", "user", "api-client", "openapi", "doctor", "config"] {
        let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not in\n{help}"));
        assert!(line.trim().len() > name.len() + 10, "{line}");
    }
}

#[test]
fn every_command_and_subcommand_has_help() {
    let sandbox = Sandbox::new();
    let cli = bucketlist::cli::Cli::command();
    let mut seen = 0;
    for command in cli.get_subcommands() {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        let help = sandbox.run(&[command.get_name(), "--help"]).expect_success();
        assert!(help.contains("Usage: bucketlist"), "{help}");
        for part in command.get_subcommands() {
            let help = sandbox.run(&[command.get_name(), part.get_name(), "--help"]).expect_success();
            assert!(help.contains(&part.get_about().unwrap().to_string()), "{help}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn missing_command_prints_usage_and_fails() {
    let outcome = Sandbox::new().run(&[]).expect_exit_code(2);
    assert!(outcome.err.contains("Usage: bucketlist [OPTIONS] <COMMAND>"), "{outcome:?}");
}

#[test]
fn unknown_command_or_option_is_rejected() {
    let sandbox = Sandbox::new();
    for arguments in [&["launch"][..], &["serve", "--fast"], &["migrate", "sideways"], &["seed", "--users", "3"]] {
        let outcome = sandbox.run(arguments).expect_exit_code(2);
        assert!(outcome.err.starts_with("error: ") && outcome.err.contains("Usage:"), "{outcome:?}");
        if arguments[0] != "seed" {
            assert!(outcome.err.contains(arguments.last().unwrap()), "{outcome:?}");
        }
    }
    // --users requires --dummy.
    assert!(sandbox.run(&["seed", "--users", "3"]).expect_exit_code(2).err.contains("--dummy"));
    assert!(!sandbox.exists("data"), "the command created the data directory");
}

#[test]
fn version_is_the_package_version() {
    assert_eq!(
        Sandbox::new().run(&["--version"]).expect_success(),
        format!("bucketlist {}\n", env!("CARGO_PKG_VERSION"))
    );
}
