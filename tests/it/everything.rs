//! The list of functions in `tests/support/src/functions.rs` is complete, and every function in it has what every function must have.
//! The crates of the workspace use only those that they may use.

use std::{collections::BTreeSet, fs};

use support::{
    Function, Route, Trigger,
    contract::{METHODS, document},
    functions::{read, root, workspace},
};

/// Returns the names of the files in a directory, without their extensions.
fn names_in(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    let name = |path: std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| name(entry.unwrap().path())).collect()
}

fn listed() -> BTreeSet<String> {
    Function::names().into_iter().map(ToOwned::to_owned).collect()
}

#[test]
fn the_list_has_every_function_once() {
    assert_eq!(Function::ALL.len(), listed().len());
    assert_eq!(listed(), names_in("functions"), "tests/support/src/functions.rs beside functions/");
    let workspace = workspace();
    let packages = workspace["packages"].as_array().unwrap().iter();
    let functions = packages.filter(|package| package["manifest_path"].as_str().unwrap().contains("/functions/"));
    let functions: BTreeSet<_> = functions.map(|package| package["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed(), functions, "a crate has the name of its function");
}

#[test]
fn every_function_has_a_route_or_a_source() {
    let routed: BTreeSet<Function> = Route::all().into_iter().map(|route| route.function).collect();
    for function in Function::ALL {
        let head: String = read(&format!("functions/{function}/src/handler.rs"))
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        let source = head.contains("**Source**");
        let has_route = routed.contains(function);
        assert!(has_route != source, "{function}: a route in Cargo.toml, or a source in the head of handler.rs");
        assert!(source || head.contains("**Route**"), "{function}: its route in the head of handler.rs");
        assert_eq!(
            matches!(function.trigger(), Trigger::Http { .. }),
            has_route,
            "{function}: its trigger in the list"
        );
    }
}

#[test]
fn the_portal_has_every_path_that_no_other_function_has() {
    let workspace = workspace();
    let router = &workspace["metadata"]["lambda"]["watch"]["router"];
    for path in ["/", "/{*path}"] {
        assert_eq!(router[path], Function::Portal.name(), "{path}");
    }
    for path in ["/desk", "/desk/{*path}"] {
        assert_eq!(router[path].as_str(), Function::find("support-desk").map(Function::name), "{path}");
    }
}

#[test]
fn every_function_with_routes_is_in_the_contract_and_no_other() {
    let paths = document()["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|item| METHODS.iter().map(move |method| &item[*method]));
    let described: BTreeSet<_> =
        operations.filter_map(|operation| operation["x-function"].as_str()).map(Function::from_name).collect();
    let has_routes = |function: &Function| matches!(function.trigger(), Trigger::Http { .. });
    assert_eq!(described, Function::ALL.iter().copied().filter(has_routes).collect(), "infra/openapi.yaml");
}

#[test]
fn every_function_has_a_valid_event() {
    assert_eq!(listed(), names_in("events"), "events/");
    for function in Function::ALL {
        let event: serde_json::Value = serde_json::from_str(&function.event()).unwrap();
        let shape = match function.trigger() {
            Trigger::Http { .. } => "requestContext",
            Trigger::Queue | Trigger::Stream => "Records",
            Trigger::Schedule => "detail-type",
        };
        assert!(!event[shape].is_null(), "{function}: its event has no {shape}");
    }
}

#[test]
fn every_function_has_a_row_in_the_readme_and_a_test_file() {
    let (readme, main) = (read("README.md"), read("tests/it/main.rs"));
    for function in Function::ALL {
        let row = format!("| `{function}` |");
        assert!(readme.lines().any(|line| line.starts_with(&row)), "{function}: no row in README.md");
        let file = function.test_file();
        assert!(read(&file).contains("#[tokio::test"), "{file} tests nothing");
        let module = format!("mod {};", function.name().replace('-', "_"));
        assert!(main.lines().any(|line| line == module), "tests/it/main.rs has no `{module}`");
    }
}

#[test]
fn every_function_has_its_name_in_the_local_cloud_and_its_main_is_short() {
    for function in Function::ALL {
        let manifest = read(&format!("functions/{function}/Cargo.toml"));
        let key = format!("[package.metadata.lambda.env]\nAWS_ACCESS_KEY_ID = \"{function}\"");
        assert!(manifest.contains(&key), "{function}");
        let main = read(&format!("functions/{function}/src/main.rs"));
        assert!(main.lines().count() <= 15, "{function}: main.rs is over 15 lines");
    }
}

#[test]
fn every_function_has_its_own_role_and_no_managed_policies() {
    let template = template::Template::deployed().unwrap();
    for function in Function::ALL {
        let role = &template.resource(&format!("{}Role", function.logical_id())).unwrap()["Properties"];
        assert!(role["ManagedPolicyArns"].is_null(), "{function}");
        assert_eq!(role["Policies"][0]["PolicyName"], function.name());
    }
}

/// The faults and the crash tests are too slow for `cargo verify --quick`, so it looks for the function's name in their files. The tests
/// themselves check more.
#[test]
fn every_function_is_in_the_faults_and_in_the_load_of_the_crash_tests() {
    let scenarios = read("tests/faults/scenarios.rs");
    let load =
        ["", "/operators", "/product", "/team"].map(|part| read(&format!("tests/crashes/customers{part}.rs"))).concat();
    for function in Function::ALL {
        let variant = format!("Function::{function:?}");
        assert!(scenarios.contains(&variant), "{function}: no row in tests/faults/scenarios.rs");
        let is_called = matches!(function.trigger(), Trigger::Http { .. });
        let called = format!("\"{function}\"");
        assert!(!is_called || load.contains(&called), "{function}: no request in tests/crashes/customers.rs");
    }
}

#[test]
fn every_function_with_a_queue_has_one_in_the_local_cloud() {
    use cloud::Queue;
    // A queue of the local cloud may wait for a function that is not written yet, so only this direction is checked.
    let queues = Queue::ALL.map(Queue::name);
    for function in Function::ALL.iter().filter(|function| function.trigger() == Trigger::Queue) {
        assert!(queues.contains(&function.name()), "{function}: no queue in the local cloud");
    }
}

#[test]
fn every_match_on_an_enum_of_the_rules_and_of_the_handlers_names_its_variants() {
    let handlers = Function::ALL.iter().map(|function| format!("functions/{function}/src/handler.rs"));
    for file in handlers.chain(["shared/domain/src/lib.rs".to_owned()]) {
        let lint = "#![warn(clippy::wildcard_enum_match_arm)]";
        assert!(read(&file).lines().any(|line| line == lint), "{file} has no `{lint}`");
    }
}

/// The crates that a function may use, all of them under `shared/`.
const USED_BY_FUNCTIONS: &[&str] = &["administration", "aws", "domain", "lambda", "page", "web", "words"];

/// The crates of the workspace that each other crate may use. `support` and `tests` may use every crate.
const USED_BY_CRATES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("aws", &["domain"]),
    ("lambda", &["domain"]),
    ("web", &["domain"]),
    ("words", &["domain"]),
    ("page", &["domain", "lambda", "web", "words"]),
    ("administration", &["aws", "domain", "lambda", "web"]),
    ("template", &[]),
    ("cloud", &["domain", "template"]),
    ("provider", &[]),
    ("demo-product", &[]),
    ("tools", &[]),
    ("dev", &["cloud", "demo-product", "provider", "template", "tools"]),
    ("xtask", &["tools"]),
    ("noop", &["lambda"]),
    ("bare", &["aws", "domain"]),
    ("model", &[]),
];

/// Returns the crates that a crate may use.
fn usable_by(name: &str) -> &'static [&'static str] {
    if Function::find(name).is_some() {
        return USED_BY_FUNCTIONS;
    }
    let row = USED_BY_CRATES.iter().find(|(user, _)| *user == name);
    row.unwrap_or_else(|| panic!("{name}: no row in USED_BY_CRATES in tests/it/everything.rs")).1
}

#[test]
fn every_crate_uses_only_those_that_it_may_use() {
    let workspace = workspace();
    let mut wrong = Vec::new();
    for package in workspace["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if ["support", "tests"].contains(&name) {
            continue;
        }
        let usable = usable_by(name);
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let built_with = dependencies.filter(|used| used["path"].is_string() && used["kind"] != "dev");
        let used = built_with.map(|used| used["name"].as_str().unwrap());
        wrong.extend(used.filter(|used| !usable.contains(used)).map(|used| format!("{name} → {used}")));
    }
    assert!(wrong.is_empty(), "a crate depends on one that it may not use: {}", wrong.join(", "));
}
