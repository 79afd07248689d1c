//! Tests that the deployment template agrees with the code: its functions, routes, queues, settings and defaults.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use lambda::{Clock, Settings};
use serde_json::{Value, json};
use template::Template;

use support::{Api, Function, Route, Trigger};

/// Returns the functions of the template by the name of their binary, with the logical id and the properties of each.
fn functions(template: &Template) -> BTreeMap<String, (&str, &Value)> {
    let functions = template.resources_of("AWS::Serverless::Function");
    let by_binary = functions.map(|(id, function)| {
        let binary = function["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap();
        (binary.to_owned(), (id, &function["Properties"]))
    });
    by_binary.collect()
}

#[test]
fn the_template_has_every_function_of_the_workspace_under_its_name() {
    let template = Template::deployed().unwrap();
    let functions = functions(&template);
    assert_eq!(functions.keys().collect::<Vec<_>>(), Function::names());
    for (name, (id, function)) in functions {
        assert_eq!(id, Function::from_name(&name).logical_id());
        let resolved = |prefix: &'static str| {
            let names = move |name: &str| match name {
                "AWS::StackName" => Some("firstkey".to_owned()),
                "NamePrefix" => Some(prefix.to_owned()),
                _ => None,
            };
            template.resolve(&function["FunctionName"], &names).unwrap()
        };
        assert_eq!((resolved(""), resolved("fk")), (format!("firstkey-{name}").into(), format!("fk-{name}").into()));
        assert_eq!(function["Role"]["Fn::GetAtt"], serde_json::json!([format!("{id}Role"), "Arn"]));
    }
}

#[test]
fn the_template_has_the_routes_that_cargo_lambda_has() {
    let template = Template::deployed().unwrap();
    let mut routes = Vec::new();
    for (name, (_, function)) in functions(&template) {
        for (_, event) in function["Events"].as_object().unwrap() {
            let properties = &event["Properties"];
            let text = |name: &str, otherwise: &str| properties[name].as_str().unwrap_or(otherwise).to_owned();
            if event["Type"] == "HttpApi" {
                let api = match properties["ApiId"]["Ref"].as_str() {
                    Some("Api") => Api::Customers,
                    Some("DeskApi") => Api::Desk,
                    other => panic!("{name} has a route of the API {other:?}"),
                };
                let (method, path) = (text("Method", "ANY"), text("Path", Route::DEFAULT));
                routes.push(Route { api, method, path, function: Function::from_name(&name) });
            }
        }
    }
    routes.sort();
    assert_eq!(routes, Route::all());
}

#[test]
fn a_function_without_a_route_has_the_queue_of_its_name() {
    let template = Template::deployed().unwrap();
    for (name, (_, function)) in functions(&template) {
        match Function::from_name(&name).trigger() {
            Trigger::Http { .. } => {}
            Trigger::Schedule => {
                let (others, period) = match name.as_str() {
                    // The end of a deployment invokes it, too.
                    "refresh-keys" => (vec!["EventBridgeRule"], "rate(15 minutes)"),
                    _ => (vec![], "rate(1 hour)"),
                };
                let events = function["Events"].as_object().unwrap().values();
                let (schedules, rest): (Vec<_>, Vec<_>) = events.partition(|event| event["Type"] == "Schedule");
                assert_eq!(schedules.len(), 1, "{name}");
                assert_eq!(schedules[0]["Properties"]["Schedule"], period, "{name}");
                assert_eq!(
                    rest.iter().map(|event| event["Type"].as_str().unwrap()).collect::<Vec<_>>(),
                    others,
                    "{name}"
                );
            }
            Trigger::Stream => {
                let events: Vec<_> = function["Events"].as_object().unwrap().values().collect();
                assert!(events.len() == 1 && events[0]["Type"] == "DynamoDB", "{name}");
                let stream = &events[0]["Properties"]["Stream"]["Fn::If"];
                assert_eq!(stream[0], "CreatesTable", "{name}");
                assert_eq!(stream[1]["Fn::GetAtt"], json!(["Table", "StreamArn"]), "{name}");
            }
            Trigger::Queue => {
                let events: Vec<_> = function["Events"].as_object().unwrap().values().collect();
                assert_eq!(events.len(), 1, "{name}");
                assert_eq!(events[0]["Type"], "SQS", "{name}");
                assert_eq!(
                    events[0]["Properties"]["Queue"]["Fn::GetAtt"][0],
                    Function::from_name(&name).queue_id(),
                    "{name}"
                );
            }
        }
    }
}

/// Returns the value of a parameter without a default, of one that a support desk or a product requires, or of a reference to a resource.
fn example_value(name: &str) -> Option<String> {
    let value = match name {
        "Table" | "MailConfiguration" => "firstkey",
        "SealingKey.Arn" => "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000",
        "SigningKeyOne.Arn" => "arn:aws:kms:us-east-1:000000000000:key/11111111-1111-1111-1111-111111111111",
        "SigningKeyTwo.Arn" => "arn:aws:kms:us-east-1:000000000000:key/22222222-2222-2222-2222-222222222222",
        "PublishedEvents" => "firstkey-events",
        "VendorName" => "Contoso, Inc.",
        "SendMailQueue" => "https://sqs.us-east-1.amazonaws.com/000000000000/SendMailQueue",
        "SupportEmail" => "support@contoso.example",
        "MailDomain" => "contoso.example",
        "OidcIssuer" => "https://login.contoso.example",
        "OidcClientId" => "portal",
        "ProductClientId" => "contoso-online-suite",
        "ProductClientSecretDigests" => "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0",
        "ProductRedirectUris" => "https://suite.contoso.example/callback",
        "DeskOidcIssuer" => "https://staff.contoso.example",
        "DeskOidcClientId" => "desk",
        "DeskOidcRole" => "roles=firstkey-operator",
        _ => return None,
    };
    Some(value.to_owned())
}

/// Returns the environment that a function gets from the template and from Lambda.
fn environment(template: &Template, function: &Value) -> HashMap<String, String> {
    let variables = template.resolve(&function["Environment"]["Variables"], &example_value).unwrap();
    let variables = variables.as_object().unwrap().iter();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let lambda =
        ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name.into(), "lambda".into()));
    variables.map(|(name, value)| (name.clone(), text(value))).chain(lambda).collect()
}

/// The settings that no deployment has.
const ONLY_LOCAL: [&str; 3] = ["DESK_OIDC_CLIENT_SECRET", "OIDC_CLIENT_SECRET", "PSEUDO_LANGUAGE"];

#[test]
fn no_deployment_has_a_setting_that_is_only_local() {
    let template = Template::deployed().unwrap();
    for (name, (_, function)) in functions(&template) {
        let environment = environment(&template, function);
        assert!(ONLY_LOCAL.iter().all(|setting| !environment.contains_key(*setting)), "{name}");
    }
}

#[test]
fn each_function_starts_with_the_settings_of_the_template_and_reads_no_others() {
    let template = Template::deployed().unwrap();
    let mut functions = functions(&template);
    for registered in Function::ALL {
        let name = registered.name();
        let (_, function) = functions.remove(name).unwrap_or_else(|| panic!("{name} is not in the template"));
        let (given, read) = (environment(&template, function), Arc::<Mutex<BTreeSet<String>>>::default());
        let (values, noted) = (given.clone(), Arc::clone(&read));
        let settings = Settings::read_by(move |name| {
            noted.lock().unwrap().insert(name.to_owned());
            values.get(name).cloned()
        });
        if let Err(error) = registered.start(&settings, Clock::System) {
            panic!("{name} does not start: {error}");
        }
        // Lambda itself sets the region and the credentials.
        let ours = |name: &&String| !name.starts_with("AWS_") && !ONLY_LOCAL.contains(&name.as_str());
        let mut read: BTreeSet<_> = read.lock().unwrap().iter().filter(ours).cloned().collect();
        if given.contains_key("DESK_ORIGIN") {
            // The transport follows the one origin that a function has.
            read.remove("PUBLIC_ORIGIN");
        }
        assert_eq!(read, given.keys().filter(ours).cloned().collect(), "{name}");
    }
    assert!(functions.is_empty(), "not started: {functions:?}");
}

#[test]
fn while_a_signing_key_is_replaced_both_are_published_and_the_first_one_named_signs() {
    let template = Template::deployed().unwrap();
    let function = functions(&template)["product-sign-in"].1;
    for (value, keys) in [("one", "ONE"), ("one-two", "ONE,TWO"), ("two-one", "TWO,ONE"), ("two", "TWO")] {
        let names = |name: &str| match name {
            "SigningKeys" => Some(value.to_owned()),
            "SigningKeyOne.Arn" => Some("ONE".to_owned()),
            "SigningKeyTwo.Arn" => Some("TWO".to_owned()),
            _ => example_value(name),
        };
        let given = template.resolve(&function["Environment"]["Variables"]["SIGNING_KEYS"], &names).unwrap();
        assert_eq!(given, keys, "{value}");
        for (id, place) in [("SigningKeyOne", "ONE"), ("SigningKeyTwo", "TWO")] {
            let condition = &template.resource(id).unwrap()["Condition"];
            let exists = template.resolve(&json!({ "Fn::If": [condition, true, false] }), &names).unwrap();
            assert_eq!(exists, keys.contains(place), "{value}: {id}");
        }
    }
}

/// Tests that a parameter of the template has the same default as its setting in the code, which the README documents.
#[test]
fn defaults_of_the_template_are_those_of_the_code() {
    let template = Template::deployed().unwrap();
    let default = |name: &str| template.document()["Parameters"][name]["Default"].clone();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    for (parameter, setting) in [
        ("CredentialLifetimeSeconds", "CREDENTIAL_LIFETIME_SECONDS"),
        ("ReminderBeforeSeconds", "REMINDER_BEFORE_SECONDS"),
        ("MailLeaseSeconds", "MAIL_LEASE_SECONDS"),
        ("MailRate", "MAIL_RATE"),
        ("RetentionDays", "RETENTION_DAYS"),
        ("SignInNetworkBurst", "SIGN_IN_NETWORK_BURST"),
        ("KeepServiceAdministrator", "KEEP_SERVICE_ADMINISTRATOR"),
        ("WelcomeMail", "WELCOME_MAIL"),
        ("SupportLanguage", "SUPPORT_LANGUAGE"),
        ("OidcSubjectClaim", "OIDC_SUBJECT_CLAIM"),
        ("OidcLogoutHint", "OIDC_LOGOUT_HINT"),
        ("ProductPkce", "PRODUCT_PKCE"),
        ("DeskOidcSubjectClaim", "DESK_OIDC_SUBJECT_CLAIM"),
        ("DeskApproval", "DESK_APPROVAL"),
        ("DeskApprovalWaitSeconds", "DESK_APPROVAL_WAIT_SECONDS"),
    ] {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{setting}` |"))).unwrap();
        let documented = row.split('|').nth(2).unwrap().trim().trim_matches('`');
        let given = default(parameter);
        assert_eq!(given.as_str().map_or_else(|| given.to_string(), str::to_owned), documented, "{parameter}");
    }
}

/// A parameter that the example configuration sets: its name, its value, and the comment behind it.
type Setting<'a> = (&'a str, &'a str, &'a str);

/// Returns the stages of the example configuration, each with the parameters that it sets.
fn stages(config: &str) -> Vec<(&'static str, Vec<Setting<'_>>)> {
    let (dev, prod) = config.split_once("[prod.global.parameters]").unwrap();
    let parameters = |text| {
        let (_, overrides): (&str, &str) = str::split_once(text, "parameter_overrides]\n").unwrap();
        let lines = overrides.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with('#'));
        let parameter = |line| {
            let (name, rest): (&str, &str) = str::split_once(line, " = \"").unwrap();
            let (value, comment) = rest.split_once('"').unwrap();
            (name, value, comment)
        };
        lines.map(parameter).collect()
    };
    vec![("dev", parameters(dev)), ("prod", parameters(prod))]
}

#[test]
fn the_example_of_samconfig_sets_every_parameter_and_names_each_default() {
    let template = Template::deployed().unwrap();
    let parameters = template.document()["Parameters"].as_object().unwrap();
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/samconfig.example.toml");
    let config = std::fs::read_to_string(config).unwrap();
    for (stage, given) in stages(&config) {
        let names: Vec<_> = given.iter().map(|(name, ..)| *name).collect();
        let known: Vec<_> = parameters.keys().map(String::as_str).collect();
        let missing: Vec<_> = known.iter().filter(|name| !names.contains(name)).collect();
        let others: Vec<_> = names.iter().filter(|name| !known.contains(name)).collect();
        assert!(missing.is_empty() && others.is_empty(), "{stage}: {missing:?} are missing, {others:?} are unknown");
        assert_eq!(names.len(), known.len(), "{stage}: a parameter is set twice");
        for (name, value, comment) in given {
            let parameter = &parameters[name];
            let expected = match &parameter["Default"] {
                Value::Null => " # required".to_owned(),
                default => {
                    let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
                    if default == value { String::new() } else { format!(" # default: \"{default}\"") }
                }
            };
            assert_eq!(comment, expected, "{stage}: {name}");
            let allowed = json!({ "pattern": parameter["AllowedPattern"].as_str().unwrap_or(".*") });
            let is_filled_in = !value.contains('<');
            assert_eq!(jsonschema::is_valid(&allowed, &json!(value)), is_filled_in, "{stage}: {name} = {value}");
        }
    }
}

#[test]
fn the_configuration_of_a_vendor_is_not_in_the_repository() {
    let ignored = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../.gitignore")).unwrap();
    for path in ["/infra/samconfig.toml", ".aws-sam/"] {
        assert!(ignored.lines().any(|line| line == path), "{path}");
    }
}
