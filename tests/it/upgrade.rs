//! Tests that this code reads and changes the items of earlier releases in the same way as those releases.
//!
//! `tests/fixtures/<release>/` has a file for each state, with its items and with that release's answers to every request. To write the
//! fixtures of a new release, run
//! `FIRSTKEY_WRITE_FIXTURES=v0.2.0 cargo nextest run --workspace --test it -E 'test(every_state_can_be_reached)'`.

mod administrators;
mod company;
mod desk;
mod later_functions;
mod states;

use std::{
    fs,
    path::{Path, PathBuf},
};

use domain::Reference;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use support::{Deployment, TestStack};

use company::{Answers, Company};
use states::{STATES, State, Step};

/// The time at which every state begins: 2026-11-10T09:00:00Z.
const START: i64 = 1_794_301_200;

/// The port of the identity provider. It is fixed because items about people contain values that depend on the provider's address.
const PROVIDER_PORT: u16 = 29_417;

/// The file with the cloud's keys, in the data directory of a cloud and in the fixtures of a release.
const KEYS: &str = "kms.json";

/// The number of states that are handled at once.
const CONCURRENCY: usize = 3;

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
}

/// Creates an empty data directory for a cloud, and copies the keys of a release to it.
fn data_directory(name: &str, keys: Option<&Path>) -> PathBuf {
    let name = format!("upgrade-{name}-{}", std::process::id());
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    if let Some(keys) = keys {
        fs::copy(keys, directory.join(KEYS)).unwrap();
    }
    directory
}

async fn stack(data: PathBuf) -> TestStack {
    let deployment = Deployment::default().with_start_time(START).with_data_directory(data).with_held_mails();
    deployment.with_provider_port(PROVIDER_PORT).start().await
}

/// Returns the directories of the releases, oldest first.
fn releases() -> Vec<PathBuf> {
    let entries = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
    let mut releases: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    releases.sort();
    releases
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Reads the states of a release. Returns their names and fixtures.
fn states_of(release: &Path) -> Vec<(String, Value)> {
    let entries = fs::read_dir(release).unwrap().map(|entry| entry.unwrap().path());
    let mut states: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "json") && !path.ends_with(KEYS))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(&path)))
        .collect();
    states.sort_by(|(one, _), (other, _)| one.cmp(other));
    states
}

/// Takes the steps to a state. Returns its fixture, without answers.
async fn reach(stack: &TestStack, number: usize, (name, settings, steps): State) -> Value {
    let mut company = Company::new(stack, name, number, settings);
    for &step in steps {
        company.take(step).await;
    }
    json!({
        "at": company.now(),
        "number": number,
        "settings": settings,
        "temporary_password": company.temporary_password,
        "sessions": company.sessions,
        "items": company.fixture_items().await,
    })
}

/// Loads a fixture and sends every request to it. Fails if an update drops an attribute that the code does not know.
async fn use_fixture(stack: &TestStack, name: &str, fixture: &Value) -> Answers {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let settings: Vec<(String, String)> = serde_json::from_value(fixture["settings"].clone()).unwrap();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let number = usize::try_from(fixture["number"].as_u64().unwrap()).unwrap();
    let mut company = Company::new(stack, name, number, &settings);
    company.temporary_password = text(&fixture["temporary_password"]);
    company.sessions = serde_json::from_value(fixture["sessions"].clone()).unwrap();
    company.advance_clock(fixture["at"].as_i64().unwrap() - company.now());
    let items = fixture["items"].as_array().unwrap();
    company.load(items).await;
    let mut answers = company.use_everything().await;
    assert_eq!(company.without_unknown(items).await, [""; 0], "{name}: updates drop unknown attributes");
    answers.extend(company.pay().await);
    let mut changed = company.without_unknown(items).await;
    // An event replaces these items: portal users and their memberships always, the mail with its issue.
    changed.retain(|key| !key.contains("PORTAL_USER#") && !key.ends_with(" MAIL"));
    assert_eq!(changed, [""; 0], "{name}: the event drops unknown attributes");
    answers
}

/// The differences where a colleague's password was chosen in 0.1.0, which begin with these.
macro_rules! chosen_for_a_colleague {
    ($($first:literal),*) => {
        &[
            $($first,)*
            "in the end/accounts: ",
            "in the end/administrators: ",
            "in the end/credential/0/seq/N: ",
            "in the end/history: ",
            "pays/then/accounts: ",
            "pays/then/administrators: ",
            "pays/then/credential/0/seq/N: ",
            "pays/then/history: ",
        ]
    };
}

/// The states in which later releases answer differently on purpose, with the beginnings of all differences.
///
/// - In 0.1.0 a sign-in from a known network opened a closed account to strangers, so that each one gave an attacker a hundred guesses.
/// - In 0.1.0 a start that is older than the end wrote its kind into a subscription that has ended. Now it changes nothing.
/// - In 0.1.0 an administrator chose the password of a colleague. Now the colleague gets a temporary one, so the old request is refused, and
///   the page of an administrator names the service administrator who is active.
const CHANGED: [(&str, &[&str]); 8] = [
    (
        "closed-by-failures",
        &[
            "sign in, elsewhere/body/next: null, and earlier \"create-administrator\"",
            "sign in, elsewhere/body/user_name: null, and earlier \"admin@closed-by-failures\"",
            "sign in, elsewhere/status: 401, and earlier 200",
            "in the end/sessions: 4, and earlier 5",
            "pays/then/sessions: 4, and earlier 5",
        ],
    ),
    (
        "administrator-new",
        chosen_for_a_colleague![
            "create in new of lee/body/user_name: null",
            "create in new of lee/status: 400, and earlier 201"
        ],
    ),
    (
        "handed-over",
        chosen_for_a_colleague!["create in lee/body/user_name: null", "create in lee/status: 400, and earlier 201"],
    ),
    (
        "handed-over-and-kept",
        &[
            "page of lee/names/0: true, and earlier false",
            "create in lee/body/code: \"invalid-request\", and earlier \"user-name-taken\"",
            "create in lee/body/status: 400, and earlier 409",
            "create in lee/status: 400, and earlier 409",
        ],
    ),
    (
        "own-password-changed",
        chosen_for_a_colleague![
            "create in later/body/user_name: null",
            "create in later/status: 400, and earlier 201",
            "create in new of lee, later/body/user_name: null",
            "create in new of lee, later/status: 400, and earlier 201"
        ],
    ),
    (
        "signed-out",
        chosen_for_a_colleague![
            "create in new of lee/body/user_name: null",
            "create in new of lee/status: 400, and earlier 201"
        ],
    ),
    ("ended", OLDER_THAN_THE_END),
    ("ended-after-choice", OLDER_THAN_THE_END),
];

/// The differences after a start that is older than the end.
const OLDER_THAN_THE_END: &[&str] = &[
    "pays/then/credential/0/kind/S: \"trial\", and earlier \"paid\"",
    "pays/then/credential/0/seq/N: ",
    "pays/then/history: ",
];

/// Returns the differences from an earlier answer. A new field of an object and a new action are no differences.
fn difference(at: &str, earlier: &Value, now: &Value) -> Vec<String> {
    match (earlier, now) {
        (Value::Object(earlier), Value::Object(_)) => {
            earlier.iter().flat_map(|(name, value)| difference(&format!("{at}/{name}"), value, &now[name])).collect()
        }
        (Value::Array(earlier), Value::Array(now)) if at.ends_with("/actions") => {
            let missing = earlier.iter().filter(|action| !now.contains(action));
            missing.map(|action| format!("{at}: without {action}")).collect()
        }
        (Value::Array(earlier), Value::Array(now)) if earlier.len() == now.len() => {
            let pairs = earlier.iter().zip(now).enumerate();
            pairs.flat_map(|(n, (earlier, now))| difference(&format!("{at}/{n}"), earlier, now)).collect()
        }
        _ if earlier == now => Vec::new(),
        _ => vec![format!("{at}: {now}, and earlier {earlier}")],
    }
}

/// Returns the value with one text for every reference that is not in `kept`. The references of requests depend on the release that they
/// were sent to, and so does their order.
fn without_new_references(value: &Value, kept: &[String]) -> Value {
    match value {
        Value::String(text) => {
            let reference = text.rsplit('#').next().unwrap();
            let is_new = Reference::parse(reference).is_some() && !kept.iter().any(|kept| kept == reference);
            json!(if is_new { text.replace(reference, "NEW") } else { text.clone() })
        }
        Value::Array(values) => {
            let mut values: Vec<_> = values.iter().map(|value| without_new_references(value, kept)).collect();
            if values.iter().all(Value::is_array) {
                values.sort_by_key(Value::to_string);
            }
            values.into()
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), without_new_references(value, kept))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Returns the references of the requests in a fixture, which this code must know again.
fn references(fixture: &Value) -> Vec<String> {
    let keys = fixture["items"].as_array().unwrap().iter().filter_map(|item| item["SK"]["S"].as_str());
    keys.filter_map(|key| key.strip_prefix("MAIL#support#")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_of_an_earlier_release_gets_the_same_answers_as_from_that_release() {
    for release in releases() {
        let data = data_directory("read", Some(&release.join(KEYS)));
        let stack = stack(data.clone()).await;
        let states = states_of(&release);
        let used = stream::iter(&states).map(|(name, fixture)| {
            let stack = &stack;
            async move { (name, fixture, use_fixture(stack, name, fixture).await) }
        });
        let mut wrong = Vec::new();
        for (name, fixture, answers) in used.buffer_unordered(CONCURRENCY).collect::<Vec<_>>().await {
            let (mut different, kept) = (Vec::new(), references(fixture));
            for earlier in fixture["answers"].as_array().unwrap() {
                let question = earlier["question"].as_str().unwrap();
                let now = answers.iter().find(|(name, _)| name == question).map_or(&Value::Null, |(_, now)| now);
                let [earlier, now] = [&earlier["answer"], now].map(|answer| without_new_references(answer, &kept));
                different.extend(difference(question, &earlier, &now));
            }
            let changed = CHANGED.iter().find(|(state, _)| state == name).map_or(&[][..], |(_, changed)| *changed);
            let is_expected = different.len() == changed.len()
                && different.iter().zip(changed).all(|(now, expected)| now.starts_with(expected));
            if !is_expected {
                wrong.push(format!("{}, {name}:\n{}", release.display(), different.join("\n")));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        drop(stack);
        fs::remove_dir_all(data).unwrap();
    }
}

/// Writes the fixtures of the release that `FIRSTKEY_WRITE_FIXTURES` names. Without it the test only takes the steps, which checks them.
#[tokio::test(flavor = "multi_thread")]
async fn every_state_can_be_reached_and_its_fixture_written() {
    let release = support::env_text("FIRSTKEY_WRITE_FIXTURES").map(|release| fixtures().join(release));
    let data = data_directory("written", None);
    let first = stack(data.clone()).await;
    let mut written = Vec::new();
    for (number, &state) in STATES.iter().enumerate() {
        let takes_long = state.2.iter().any(|step| matches!(step, Step::Guess(count) if *count > 10));
        if release.is_some() || !takes_long {
            written.push((state.0, reach(&first, number, state).await));
        }
    }
    let Some(release) = release else { return };
    fs::create_dir_all(&release).unwrap();
    fs::copy(data.join(KEYS), release.join(KEYS)).unwrap();
    drop(first);
    let second = stack(data_directory("asked", Some(&release.join(KEYS)))).await;
    for (name, mut fixture) in written {
        let answers = use_fixture(&second, name, &fixture).await;
        let answers = answers.into_iter().map(|(question, answer)| json!({ "question": question, "answer": answer }));
        fixture["answers"] = answers.collect();
        let text = serde_json::to_string_pretty(&fixture).unwrap() + "\n";
        fs::write(release.join(format!("{name}.json")), text).unwrap();
    }
}

#[test]
fn the_newest_release_has_every_state() {
    let newest = releases().pop().unwrap();
    let fixtures: Vec<_> = states_of(&newest).into_iter().map(|(name, _)| name).collect();
    for (name, ..) in STATES {
        assert!(fixtures.iter().any(|fixture| fixture == name), "{} has no {name}", newest.display());
    }
}

/// The prefixes of partition keys that the fixtures must contain.
const PARTITION_KEYS: [&str; 6] = ["SUBSCRIPTION#", "PORTAL_USER#", "ACCOUNT#", "SESSION#", "ATTEMPTS#", "NETWORK#"];

/// The prefixes of sort keys that the fixtures must contain.
const SORT_KEYS: [&str; 13] = [
    "CREDENTIAL",
    "MAIL",
    "MAIL#support#",
    "SUPPORT#",
    "PORTAL_USER#",
    "EVENT#",
    "STARTED#",
    "SUBSCRIPTION#",
    "ACCOUNT",
    "ADMINISTRATOR#",
    "SESSION",
    "NETWORK#",
    "ATTEMPTS",
];

/// The statuses of items that the fixtures must contain.
const STATUSES: [&str; 10] =
    ["pending", "sent", "delayed", "delivered", "bounced", "complained", "not-needed", "active", "retired", "closed"];

/// The attributes that the fixtures must contain.
const ATTRIBUTES: [&str; 15] = [
    "sealed_password",
    "signed_in_at",
    "changed_at",
    "handed_over_at",
    "ended_at",
    "lease_id",
    "lease_until",
    "tries",
    "message_id",
    "locale",
    "failures",
    "known_until",
    "first_signed_in_at",
    "created_by",
    "email",
];

/// A key, a status or an attribute that no fixture contains would mean that a state has no fixture.
#[test]
fn every_kind_of_item_and_every_status_is_in_a_fixture() {
    let states = releases().iter().flat_map(|release| states_of(release)).collect::<Vec<_>>();
    let items: Vec<&Value> = states.iter().flat_map(|(_, fixture)| fixture["items"].as_array().unwrap()).collect();
    let has = |attribute: &str, value: &str| {
        items.iter().any(|item| item[attribute]["S"].as_str().is_some_and(|text| text.starts_with(value)))
    };
    for partition in PARTITION_KEYS {
        assert!(has("PK", partition), "no item of {partition}");
    }
    for sort_key in SORT_KEYS {
        assert!(has("SK", sort_key), "no item at {sort_key}");
    }
    for status in STATUSES {
        assert!(has("status", status), "no item is {status}");
    }
    for (attribute, value) in [("scope", "reset-password"), ("scope", "full"), ("kind", "trial"), ("kind", "paid")] {
        assert!(has(attribute, value), "no {attribute} {value}");
    }
    for attribute in ATTRIBUTES {
        assert!(items.iter().any(|item| !item[attribute].is_null()), "no item has {attribute}");
    }
    for count in 0..=3 {
        let has_count = |item: &&&Value| item["retrievals"]["M"].as_object().is_some_and(|map| map.len() == count);
        assert!(items.iter().find(has_count).is_some(), "no credential has {count} retrievals");
    }
}
