//! The example events of `events/`, one for each function. `{{id_token}}` is a placeholder for a token. Other placeholders, such
//! as a retrieved password or a session, can only be filled by a test that has carried out the steps before.

use std::{fs, io, path::Path};

use serde_json::{Value, json};

const ID_TOKEN: &str = "{{id_token}}";

/// Copies every event from one directory to another and fills in the token.
pub fn write(from: &Path, to: &Path, id_token: &str) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for (name, event) in read(from)? {
        fs::write(to.join(format!("{name}.json")), render(&event, id_token))?;
    }
    Ok(())
}

/// Returns, with the function's name, an event for each function that can be called without effect: an empty batch, or an
/// unauthenticated request without a body.
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

/// Fills in the token. It needs no escaping in JSON, because it consists of letters, digits, `-`, `_` and `.`.
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
    fn every_placeholder_of_a_token_is_filled() -> io::Result<()> {
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
    fn only_events_without_effect_are_harmless() -> io::Result<()> {
        let harmless = harmless(directory()?.path())?;
        let names: Vec<_> = harmless.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["get-credentials", "subscription-start"]);
        assert_eq!(harmless[0].1["headers"]["authorization"], "Bearer ");
        assert_eq!(harmless[0].1["body"], Value::Null, "a request without a body changes nothing");
        assert_eq!(harmless[1].1, json!({ "Records": [] }));
        Ok(())
    }
}
