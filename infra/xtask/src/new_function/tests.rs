use std::{collections::BTreeMap, fs, path::PathBuf};

use super::*;

/// The files that a new function edits or reads, from the root of the workspace.
const READ: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "infra/cloud/src/queue.rs",
    "infra/openapi.yaml",
    "tests/it/main.rs",
    "tests/support/Cargo.toml",
    "tests/support/src/functions.rs",
];

/// Returns a directory with copies of [`READ`] and one function, `sign-in`.
fn copy() -> anyhow::Result<tempfile::TempDir> {
    let copy = tempfile::tempdir()?;
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    for path in READ {
        let target = copy.path().join(path);
        fs::create_dir_all(target.parent().expect("a directory"))?;
        fs::copy(root.join(path), target)?;
    }
    fs::create_dir_all(copy.path().join("functions/sign-in"))?;
    Ok(copy)
}

fn new(name: &str, trigger: Trigger) -> anyhow::Result<NewFunction> {
    Ok(NewFunction { name: FunctionName::parse(name)?, trigger })
}

fn route(text: &str) -> anyhow::Result<Trigger> {
    Ok(Trigger::Route(Route::parse(text)?))
}

/// Returns the contents of every file in a directory, by path.
fn contents(root: &Path) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let (mut all, mut directories) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                all.insert(path.strip_prefix(root)?.to_owned(), fs::read_to_string(&path)?);
            }
        }
    }
    Ok(all)
}

/// Writes a function into a copy, and returns the lines that are new or were added to a file, by path.
fn scaffolded(new: &NewFunction) -> anyhow::Result<BTreeMap<String, String>> {
    let copy = copy()?;
    let before = contents(copy.path())?;
    files::write(copy.path(), &plan(new, copy.path())?)?;
    let mut added = BTreeMap::new();
    for (path, text) in contents(copy.path())? {
        let old: Vec<_> = before.get(&path).into_iter().flat_map(|text| text.lines()).collect();
        if before.get(&path) == Some(&text) {
            continue;
        }
        let lines: Vec<_> = text.lines().filter(|line| !old.contains(line)).collect();
        assert!(text.lines().count() >= old.len() && text.ends_with('\n'), "{}", path.display());
        added.insert(path.to_string_lossy().into_owned(), lines.join("\n"));
    }
    Ok(added)
}

#[test]
fn every_kind_of_function_has_all_its_files_and_nothing_to_fill_in() -> anyhow::Result<()> {
    for trigger in [route("POST /subscriptions/{subscription_id}/pauses")?, Trigger::Queue, Trigger::Schedule] {
        let is_route = matches!(trigger, Trigger::Route(_));
        let added = scaffolded(&new("pause-credentials", trigger)?)?;
        for (path, text) in &added {
            assert!(!text.contains('@') || text.contains("@fabrikam"), "{path}: {text}");
            let shortest = text.replace("@fabrikam", "");
            assert!(!shortest.contains('@'), "{path}: {text}");
        }
        let manifest: toml::Table = added["functions/pause-credentials/Cargo.toml"].parse()?;
        assert_eq!(manifest["package"]["name"].as_str(), Some("pause-credentials"));
        let event: serde_json::Value = serde_json::from_str(&added["events/pause-credentials.json"])?;
        assert!(event.is_object());
        assert!(added["functions/pause-credentials/src/main.rs"].lines().count() <= 15);
        let handler = &added["functions/pause-credentials/src/handler.rs"];
        assert!(handler.contains(if is_route { "**Route**" } else { "**Source**" }), "{handler}");
        assert!(added["tests/it/pause_credentials.rs"].contains("#[tokio::test]"));
        assert_eq!(added["tests/it/main.rs"], "mod pause_credentials;");
        let dependency = "pause-credentials = { path = \"../../functions/pause-credentials\" }";
        assert_eq!(added["tests/support/Cargo.toml"], dependency);
        assert!(added["README.md"].starts_with("| `pause-credentials` | "));
    }
    Ok(())
}

#[test]
fn a_route_is_in_the_router_the_registry_and_the_event() -> anyhow::Result<()> {
    let added = scaffolded(&new("pause-credentials", route("POST /subscriptions/{subscription_id}/pauses")?)?)?;
    assert_eq!(
        added["Cargo.toml"],
        "\"/subscriptions/{subscription_id}/pauses\" = [{ function = \"pause-credentials\", method = \"POST\" }]"
    );
    let registry = &added["tests/support/src/functions.rs"];
    assert!(registry.contains("\"pause-credentials\" PauseCredentials pause_credentials Http { status: 204 };"));
    assert!(registry.contains("| Self::PauseCredentials"), "it has no request that verifies a token yet");
    let event: serde_json::Value = serde_json::from_str(&added["events/pause-credentials.json"])?;
    assert_eq!(event["routeKey"], "POST /subscriptions/{subscription_id}/pauses");
    assert_eq!(event["rawPath"], "/subscriptions/sub-1001/pauses");
    assert_eq!(event["pathParameters"], serde_json::json!({ "subscription_id": "sub-1001" }));
    assert!(!added.contains_key("infra/cloud/src/queue.rs"));
    Ok(())
}

#[test]
fn a_second_method_of_a_path_joins_the_first() -> anyhow::Result<()> {
    let added = scaffolded(&new("forget-sign-in", route("DELETE /sign-in")?)?)?;
    assert_eq!(
        added["Cargo.toml"],
        "\"/sign-in\" = [{ function = \"sign-in\", method = \"POST\" }, { function = \"forget-sign-in\", method = \"DELETE\" }]"
    );
    Ok(())
}

#[test]
fn a_queue_is_in_the_local_cloud() -> anyhow::Result<()> {
    let added = scaffolded(&new("close-subscription", Trigger::Queue)?)?;
    assert!(added["infra/cloud/src/queue.rs"].contains("\"close-subscription\" CloseSubscription;"));
    assert!(!added.contains_key("Cargo.toml"));
    Ok(())
}

#[test]
fn a_name_in_another_form_is_refused() {
    for name in ["", "Renew", "pause_credentials", "-renew", "renew-", "a--b", "1st", "a-1", "naïve", "../x", "a b"] {
        let refusal = FunctionName::parse(name).expect_err(name).to_string();
        assert!(refusal.contains("is not in kebab-case"), "{refusal}");
    }
    for name in ["test", "core", &"a".repeat(33)] {
        assert!(FunctionName::parse(name).is_err(), "{name}");
    }
}

#[test]
fn a_route_in_another_form_is_refused() {
    let routes = [
        "",
        "POST",
        "/a",
        "post /a",
        "POST a",
        "POST  /a",
        "POST /",
        "POST /a/",
        "POST //a",
        "ANY /a",
        "POST /a b",
        "POST /{a",
        "POST /{*path}",
        "POST /{A}",
        "POST /a?b",
        "POST /{a}/{a}",
        "POST /a\"",
        "POST /A",
        "OPTIONS /a",
    ];
    for text in routes {
        assert!(Route::parse(text).is_err(), "{text}");
    }
}

#[test]
fn what_exists_already_is_refused_and_nothing_is_written() -> anyhow::Result<()> {
    let copy = copy()?;
    let before = contents(copy.path())?;
    for (name, trigger, refusal) in [
        ("sign-in", Trigger::Queue, "functions/sign-in exists already"),
        ("tokio", Trigger::Queue, "tokio is the name of a crate"),
        ("web", Trigger::Schedule, "web is the name of a crate"),
        ("more", route("POST /sign-in")?, "POST /sign-in is a route of another function: POST /sign-in"),
        ("more", route("POST /subscriptions/{id}/credentials")?, "is a route of another function"),
        ("more", route("GET /help")?, "GET /help is a route of another function"),
        ("more", route("GET /subscriptions/{id}/renewals")?, "{id} is named {subscription_id} in the route"),
    ] {
        let error = plan(&new(name, trigger)?, copy.path()).expect_err(refusal);
        assert!(format!("{error:#}").contains(refusal), "{error:#}");
    }
    assert_eq!(contents(copy.path())?, before);
    Ok(())
}

#[test]
fn a_file_that_cannot_be_written_undoes_the_others() -> anyhow::Result<()> {
    let copy = copy()?;
    let mut planned = plan(&new("pause-credentials", Trigger::Queue)?, copy.path())?;
    let before = contents(copy.path())?;
    planned.push(File { path: "README.md/impossible".into(), before: None, after: String::new() });
    let error = files::write(copy.path(), &planned).expect_err("README.md is no directory");
    assert!(format!("{error:#}").starts_with("nothing is changed"), "{error:#}");
    assert_eq!(contents(copy.path())?, before);
    assert!(!copy.path().join("functions/pause-credentials").exists());
    Ok(())
}

#[test]
fn a_row_that_is_missing_is_named() -> anyhow::Result<()> {
    let copy = copy()?;
    fs::write(copy.path().join("README.md"), "# Firstkey\n")?;
    let error = plan(&new("pause-credentials", Trigger::Queue)?, copy.path()).expect_err("no table");
    assert_eq!(format!("{error:#}"), "README.md: no line begins with \"| `portal` |\"");
    Ok(())
}
