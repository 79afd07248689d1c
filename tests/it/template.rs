//! What the template says of the code is what the code says of itself.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    process::Command,
    sync::{Arc, Mutex},
};

use lambda::{Clock, Settings};
use local::template::Template;
use serde_json::Value;

/// What Cargo knows: the routes of cargo-lambda, and the packages.
fn workspace() -> Value {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new("cargo").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The functions of the workspace, by their names.
fn packages() -> BTreeSet<String> {
    let workspace = workspace();
    let packages = workspace["packages"].as_array().unwrap();
    let here = packages.iter().filter(|package| package["manifest_path"].as_str().unwrap().contains("/functions/"));
    here.map(|package| package["name"].as_str().unwrap().to_owned()).collect()
}

/// The functions of the template, by the binary that each is.
fn functions(template: &Template) -> BTreeMap<String, (&str, &Value)> {
    let functions = template.resources_of("AWS::Serverless::Function");
    let by_binary = functions.map(|(id, function)| {
        let binary = function["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap();
        (binary.to_owned(), (id, &function["Properties"]))
    });
    by_binary.collect()
}

/// `get-credentials` is `GetCredentials`.
fn logical_id(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(capital).collect()
}

#[test]
fn the_template_has_the_functions_of_the_workspace_each_by_its_name() {
    let template = Template::deployed().unwrap();
    let functions = functions(&template);
    assert_eq!(functions.keys().cloned().collect::<BTreeSet<_>>(), packages());
    for (name, (id, function)) in functions {
        assert_eq!(id, logical_id(&name));
        assert_eq!(function["FunctionName"]["Fn::Sub"], format!("${{AWS::StackName}}-{name}"));
        assert_eq!(function["Role"]["Fn::GetAtt"], serde_json::json!([format!("{id}Role"), "Arn"]));
    }
}

/// Method, path and function; `$default` is whatever no other route has.
type Route = (String, String, String);

fn routes_of_cargo_lambda() -> BTreeSet<Route> {
    let workspace = workspace();
    let paths = workspace["metadata"]["lambda"]["watch"]["router"].as_object().unwrap();
    let mut routes = BTreeSet::new();
    for (path, target) in paths {
        match target {
            Value::String(function) => {
                assert!(
                    ["/", "/{*path}"].contains(&path.as_str()),
                    "{path}: every method of one path is no route of the template"
                );
                routes.insert(("ANY".to_owned(), "$default".to_owned(), function.clone()));
            }
            targets => routes.extend(targets.as_array().unwrap().iter().map(|target| {
                let text = |name: &str| target[name].as_str().unwrap().to_owned();
                (text("method"), path.clone(), text("function"))
            })),
        }
    }
    routes
}

#[test]
fn the_template_has_the_routes_that_cargo_lambda_has() {
    let template = Template::deployed().unwrap();
    let mut routes = BTreeSet::new();
    for (name, (_, function)) in functions(&template) {
        for (_, event) in function["Events"].as_object().unwrap() {
            let properties = &event["Properties"];
            let text = |name: &str, otherwise: &str| properties[name].as_str().unwrap_or(otherwise).to_owned();
            if event["Type"] == "HttpApi" {
                assert_eq!(properties["ApiId"]["Ref"], "Api");
                routes.insert((text("Method", "ANY"), text("Path", "$default"), name.clone()));
            }
        }
    }
    assert_eq!(routes, routes_of_cargo_lambda());
}

#[test]
fn a_function_without_a_route_has_the_queue_of_its_name() {
    let template = Template::deployed().unwrap();
    let routed: BTreeSet<_> = routes_of_cargo_lambda().into_iter().map(|(_, _, function)| function).collect();
    for (name, (id, function)) in functions(&template).into_iter().filter(|(name, _)| !routed.contains(name)) {
        let events: Vec<_> = function["Events"].as_object().unwrap().values().collect();
        assert_eq!(events.len(), 1, "{name}");
        assert_eq!(events[0]["Type"], "SQS", "{name}");
        assert_eq!(events[0]["Properties"]["Queue"]["Fn::GetAtt"][0], format!("{id}Queue"), "{name}");
    }
}

/// What `start` asks for, where every setting has a value.
fn asked_by<A>(start: impl FnOnce(&Settings, Clock) -> Result<A, lambda::Error>) -> BTreeSet<String> {
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let (noted, values) = (Arc::clone(&asked), values());
    let settings = Settings::read_by(move |name| {
        noted.lock().unwrap().insert(name.to_owned());
        values.get(name).map(|value| (*value).to_owned())
    });
    if let Err(error) = start(&settings, Clock::System) {
        panic!("it does not start: {error}");
    }
    drop(settings);
    // Where AWS is, and who calls it, is Lambda's to say.
    asked.lock().unwrap().iter().filter(|name| !name.starts_with("AWS_")).cloned().collect()
}

fn values() -> HashMap<&'static str, &'static str> {
    HashMap::from([
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "none"),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("TABLE_NAME", "firstkey"),
        ("SEALING_KEY", "alias/firstkey-sealing"),
        ("SENDER", "no-reply@contoso.example"),
        ("PUBLIC_ORIGIN", "https://portal.contoso.example"),
        ("OIDC_ISSUER", "https://login.contoso.example"),
        ("OIDC_CLIENT_ID", "firstkey"),
        ("SUPPORT_EMAIL", "support@contoso.example"),
        ("VENDOR_NAME", "Contoso"),
    ])
}

#[test]
fn the_template_gives_each_function_the_settings_that_it_asks_for() {
    let mut asked = BTreeMap::from([
        ("contact-support", asked_by(contact_support::App::new)),
        ("create-admin", asked_by(create_admin::App::new)),
        ("get-credentials", asked_by(get_credentials::App::new)),
        ("list-subscriptions", asked_by(list_subscriptions::App::new)),
        ("portal", asked_by(portal::App::new)),
        ("reset-password", asked_by(reset_password::App::new)),
        ("send-mail", asked_by(send_mail::App::new)),
        ("sign-in", asked_by(sign_in::App::new)),
        ("subscription-start", asked_by(subscription_start::App::new)),
    ]);
    let template = Template::deployed().unwrap();
    for (name, (_, function)) in functions(&template) {
        let given = function["Environment"]["Variables"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(asked.remove(name.as_str()), Some(given), "{name}");
    }
    assert!(asked.is_empty(), "not in the template: {asked:?}");
}

/// A setting that the template leaves open has the value that the code would take by itself.
#[test]
fn defaults_of_the_template_are_those_of_the_code() {
    let template = Template::deployed().unwrap();
    let default = |name: &str| template.document()["Parameters"][name]["Default"].clone();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    for (parameter, setting) in [
        ("CredentialLifetimeSeconds", "CREDENTIAL_LIFETIME_SECONDS"),
        ("MailLeaseSeconds", "MAIL_LEASE_SECONDS"),
        ("SignInNetworkBurst", "SIGN_IN_NETWORK_BURST"),
        ("KeepServiceAdministrator", "KEEP_SERVICE_ADMINISTRATOR"),
        ("WelcomeMail", "WELCOME_MAIL"),
        ("OidcSubjectClaim", "OIDC_SUBJECT_CLAIM"),
    ] {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{setting}` |"))).unwrap();
        let documented = row.split('|').nth(2).unwrap().trim().trim_matches('`');
        let given = default(parameter);
        assert_eq!(given.as_str().map_or_else(|| given.to_string(), str::to_owned), documented, "{parameter}");
    }
}
