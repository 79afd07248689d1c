//! The events of `events/`, one a function, with `{{id_token}}` where a token stands. What else stands in such braces
//! is known to whoever walked there: the password that was retrieved, the session that was begun.

use std::{fs, io, path::Path};

use serde_json::{Value, json};

const ID_TOKEN: &str = "{{id_token}}";

/// Writes every event of the directory `from` into the directory `to`, with a token in its place.
pub fn write(from: &Path, to: &Path, id_token: &str) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for (name, event) in read(from)? {
        fs::write(to.join(format!("{name}.json")), render(&event, id_token))?;
    }
    Ok(())
}

/// An event for each function that can be called without anything happening: a batch of nothing, or a request of
/// nobody for nothing. By the function's name.
pub fn harmless(from: &Path) -> io::Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for (name, event) in read(from)? {
        let mut event: Value = serde_json::from_str(&render(&event, ""))?;
        if event["Records"].is_array() {
            found.push((name, json!({ "Records": [] })));
        } else if event["requestContext"]["http"].is_object() {
            event["body"] = Value::Null;
            found.push((name, event));
        }
    }
    Ok(found)
}

fn read(directory: &Path) -> io::Result<Vec<(String, String)>> {
    let mut events = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if let (Some(name), Some("json")) = (path.file_stem(), path.extension().and_then(|ending| ending.to_str())) {
            events.push((name.to_string_lossy().into_owned(), fs::read_to_string(&path)?));
        }
    }
    events.sort();
    Ok(events)
}

/// A token is letters, digits, `-`, `_` and `.`: it needs no escaping in JSON.
fn render(event: &str, id_token: &str) -> String {
    event.replace(ID_TOKEN, id_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{ "headers": { "authorization": "Bearer {{id_token}}" }, "cookies": ["c={{id_token}}"],
        "requestContext": { "http": { "method": "POST" } }, "body": "{\"password\": \"{{temporary_password}}\"}" }"#;
    const BATCH: &str = r#"{ "Records": [{ "messageId": "m-1", "body": "{}" }] }"#;

    fn directory() -> io::Result<tempfile::TempDir> {
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("get-credentials.json"), REQUEST)?;
        fs::write(directory.path().join("subscription-start.json"), BATCH)?;
        fs::write(directory.path().join("reissue-credentials.json"), r#"{ "subscription_id": "sub-1001" }"#)?;
        fs::write(directory.path().join("README.md"), "not an event")?;
        Ok(directory)
    }

    #[test]
    fn a_token_goes_wherever_one_stands() -> io::Result<()> {
        let (from, to) = (directory()?, tempfile::tempdir()?);
        let to = to.path().join("events");
        write(from.path(), &to, "e30.e30.c2ln")?;
        let event: Value = serde_json::from_slice(&fs::read(to.join("get-credentials.json"))?)?;
        assert_eq!(event["headers"]["authorization"], "Bearer e30.e30.c2ln");
        assert_eq!(event["cookies"][0], "c=e30.e30.c2ln");
        assert!(event["body"].as_str().is_some_and(|body| body.contains("{{temporary_password}}")));
        assert_eq!(fs::read_to_string(to.join("subscription-start.json"))?, BATCH);
        assert_eq!(fs::read_dir(&to)?.count(), 3);
        Ok(())
    }

    #[test]
    fn only_events_that_do_nothing_are_harmless() -> io::Result<()> {
        let harmless = harmless(directory()?.path())?;
        let names: Vec<_> = harmless.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["get-credentials", "subscription-start"]);
        assert_eq!(harmless[0].1["headers"]["authorization"], "Bearer ");
        assert_eq!(harmless[0].1["body"], Value::Null, "whoever asks for nothing changes nothing");
        assert_eq!(harmless[1].1, json!({ "Records": [] }));
        Ok(())
    }
}
