//! Every function has what every function must have.

use std::{fs, path::PathBuf};

use tests::Processes;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn functions() -> Vec<String> {
    let entries = fs::read_dir(root().join("functions")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    names
}

#[test]
fn every_function_has_a_route_or_a_source() {
    let manifest = read("Cargo.toml");
    for name in functions() {
        let head: String = read(&format!("functions/{name}/src/handler.rs"))
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        let routed =
            manifest.contains(&format!("function = \"{name}\"")) || manifest.contains(&format!("= \"{name}\""));
        let source = head.contains("**Source**");
        assert!(routed != source, "{name}: a route in Cargo.toml, or a source in the head of handler.rs");
        assert!(source || head.contains("**Route**"), "{name}: its route in the head of handler.rs");
    }
}

#[test]
fn every_function_is_among_the_processes_that_are_killed() {
    assert_eq!(Processes::FUNCTIONS.map(ToOwned::to_owned).as_slice(), functions());
}

#[test]
fn every_function_has_an_event_that_reads() {
    for name in functions() {
        let event: serde_json::Value = serde_json::from_str(&read(&format!("events/{name}.json"))).unwrap();
        let shape = if event["version"] == "2.0" { "requestContext" } else { "Records" };
        assert!(!event[shape].is_null(), "{name}: neither a request nor a batch");
    }
}

#[test]
fn every_function_has_a_row_in_the_readme_and_a_test_file() {
    let readme = read("README.md");
    for name in functions() {
        assert!(readme.lines().any(|line| line.starts_with(&format!("| `{name}` |"))), "{name}: no row in README.md");
        let file = format!("tests/it/{}.rs", name.replace('-', "_"));
        assert!(read(&file).contains("#[tokio::test"), "{file} tests nothing");
    }
}

#[test]
fn every_function_is_named_to_the_local_cloud_and_its_main_only_wires() {
    for name in functions() {
        let manifest = read(&format!("functions/{name}/Cargo.toml"));
        assert!(manifest.contains(&format!("[package.metadata.lambda.env]\nAWS_ACCESS_KEY_ID = \"{name}\"")), "{name}");
        assert!(
            read(&format!("functions/{name}/src/main.rs")).lines().count() <= 15,
            "{name}: main.rs is over 15 lines"
        );
    }
}

#[test]
fn every_function_has_a_role_of_its_own_and_no_policies_that_somebody_else_writes() {
    let template = template::Template::deployed().unwrap();
    for name in functions() {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        let role = format!("{}Role", name.split('-').map(capital).collect::<String>());
        let role = &template.resource(&role).unwrap()["Properties"];
        assert!(role["ManagedPolicyArns"].is_null(), "{name}");
        assert_eq!(role["Policies"][0]["PolicyName"], name.as_str());
    }
}
