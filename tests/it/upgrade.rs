//! Items that earlier releases wrote are read and changed by this code as by those releases.
//!
//! `tests/fixtures/<release>/` has a file for each state, with the items and with what that release answered when everything was done with
//! them. `FIRSTKEY_WRITE_FIXTURES=v0.2.0 cargo nextest run -p tests --test it -E 'test(/^upgrade::/)'` writes those of a new release.

mod company;
mod states;

use std::{
    fs,
    path::{Path, PathBuf},
};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use support::{Deployment, TestStack};

use company::{Answers, Company};
use states::{STATES, State, Step};

/// When every story begins: 2026-11-10T09:00:00Z.
const BEGINNING: i64 = 1_794_301_200;

/// The port of the identity provider: what the table keeps of a person depends on the provider's address.
const PROVIDER_PORT: u16 = 29_417;

/// The cloud's keys, in the directory of a cloud and in that of a release.
const KEYS: &str = "kms.json";

/// How many states are worked on at once.
const AT_ONCE: usize = 3;

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
}

/// A directory for the data of one cloud, empty but for the keys of a release.
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
    let deployment = Deployment::default().starting_at(BEGINNING).keeping_data_in(data).holding_mails();
    deployment.with_provider_on(PROVIDER_PORT).start().await
}

/// The directories of the releases, oldest first.
fn releases() -> Vec<PathBuf> {
    let entries = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
    let mut releases: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    releases.sort();
    releases
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The states of a release: name and fixture.
fn states_of(release: &Path) -> Vec<(String, Value)> {
    let entries = fs::read_dir(release).unwrap().map(|entry| entry.unwrap().path());
    let mut states: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "json") && !path.ends_with(KEYS))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(&path)))
        .collect();
    states.sort_by(|(one, _), (other, _)| one.cmp(other));
    states
}

/// Takes the steps to a state; the fixture, without answers.
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

/// Loads a fixture and does everything with it. Fails where an update drops an attribute that it does not know.
async fn use_fixture(stack: &TestStack, name: &str, fixture: &Value) -> Answers {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let settings: Vec<(String, String)> = serde_json::from_value(fixture["settings"].clone()).unwrap();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let number = usize::try_from(fixture["number"].as_u64().unwrap()).unwrap();
    let mut company = Company::new(stack, name, number, &settings);
    company.temporary_password = text(&fixture["temporary_password"]);
    company.sessions = serde_json::from_value(fixture["sessions"].clone()).unwrap();
    company.pass(fixture["at"].as_i64().unwrap() - company.now());
    let items = fixture["items"].as_array().unwrap();
    company.load(items).await;
    let mut answers = company.use_everything().await;
    assert_eq!(company.forgotten(items).await, [""; 0], "{name}: updates drop what they do not know");
    answers.extend(company.pay().await);
    let mut forgotten = company.forgotten(items).await;
    // An event writes these anew: portal users and their memberships always, the mail with its issue.
    forgotten.retain(|key| !key.contains("PORTAL_USER#") && !key.ends_with(" MAIL"));
    assert_eq!(forgotten, [""; 0], "{name}: the event drops what it does not know");
    answers
}

/// What differs from an earlier answer. What is new in an object is no difference.
fn difference(at: &str, earlier: &Value, now: &Value) -> Vec<String> {
    match (earlier, now) {
        (Value::Object(earlier), Value::Object(_)) => {
            earlier.iter().flat_map(|(name, value)| difference(&format!("{at}/{name}"), value, &now[name])).collect()
        }
        (Value::Array(earlier), Value::Array(now)) if earlier.len() == now.len() => {
            let pairs = earlier.iter().zip(now).enumerate();
            pairs.flat_map(|(n, (earlier, now))| difference(&format!("{at}/{n}"), earlier, now)).collect()
        }
        _ if earlier == now => Vec::new(),
        _ => vec![format!("{at}: {now}, and earlier {earlier}")],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_that_a_release_wrote_is_read_and_changed_as_by_that_release() {
    for release in releases() {
        let data = data_directory("read", Some(&release.join(KEYS)));
        let stack = stack(data.clone()).await;
        let states = states_of(&release);
        let used = stream::iter(&states).map(|(name, fixture)| {
            let stack = &stack;
            async move { (name, fixture, use_fixture(stack, name, fixture).await) }
        });
        for (name, fixture, answers) in used.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
            let mut different = Vec::new();
            for earlier in fixture["answers"].as_array().unwrap() {
                let question = earlier["question"].as_str().unwrap();
                let now = answers.iter().find(|(asked, _)| asked == question).map_or(&Value::Null, |(_, now)| now);
                different.extend(difference(question, &earlier["answer"], now));
            }
            assert!(different.is_empty(), "{}, {name}:\n{}", release.display(), different.join("\n"));
        }
        drop(stack);
        fs::remove_dir_all(data).unwrap();
    }
}

/// The environment names the release whose fixtures are written; otherwise the steps are taken, so that they stay right.
#[tokio::test(flavor = "multi_thread")]
async fn every_state_is_reached_and_written_where_that_is_asked_for() {
    let release = support::text_asked_for("FIRSTKEY_WRITE_FIXTURES").map(|release| fixtures().join(release));
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

/// The sort keys, or what they begin with, of every kind of item.
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

/// The statuses of mails and accounts.
const STATUSES: [&str; 10] =
    ["pending", "sent", "delayed", "delivered", "bounced", "complained", "not-needed", "active", "retired", "closed"];

/// The attributes that an item has in some states only.
const MARKS: [&str; 15] = [
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

/// Keys, statuses and attributes whose absence would mean that a state has no fixture.
#[test]
fn every_kind_of_item_and_every_status_is_in_a_fixture() {
    let states = releases().iter().flat_map(|release| states_of(release)).collect::<Vec<_>>();
    let items: Vec<&Value> = states.iter().flat_map(|(_, fixture)| fixture["items"].as_array().unwrap()).collect();
    let has = |attribute: &str, value: &str| {
        items.iter().any(|item| item[attribute]["S"].as_str().is_some_and(|text| text.starts_with(value)))
    };
    for partition in ["SUBSCRIPTION#", "PORTAL_USER#", "ACCOUNT#", "SESSION#", "ATTEMPTS#", "NETWORK#"] {
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
    for mark in MARKS {
        assert!(items.iter().any(|item| !item[mark].is_null()), "no item has {mark}");
    }
    for count in 0..=3 {
        let has_count = |item: &&&Value| item["retrievals"]["M"].as_object().is_some_and(|map| map.len() == count);
        assert!(items.iter().find(has_count).is_some(), "no credential has {count} retrievals");
    }
}
