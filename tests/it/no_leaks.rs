//! No secret where it must not be: neither in the table, nor in the record of calls, nor in an answer that has none to give.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use local::cloud::{Fault, Mode, Service};
use serde_json::json;
use tests::{TestStack, event};

/// A secret as it is, and as it is often written.
fn forms(secret: &str) -> Vec<String> {
    let hex = secret.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    vec![
        secret.to_owned(),
        secret.replace('-', ""),
        BASE64_STANDARD.encode(secret).trim_end_matches('=').to_owned(),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
        hex,
    ]
}

#[tokio::test]
async fn the_table_and_the_record_of_calls_never_hold_a_password_or_a_token() {
    let stack = TestStack::start().await;
    stack.started(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    let password = stack.retrieve(&dana, "sub-1", "click").await.password().unwrap().to_owned();
    let table = json!(stack.cloud.dump_table().await.unwrap()).to_string();
    let requests = format!("{:?}", stack.cloud.requests());
    for secret in forms(&password).iter().chain(&forms(&dana)) {
        assert!(!table.contains(secret.as_str()) && !requests.contains(secret.as_str()));
    }
    assert!(table.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "the table was really searched");
}

#[tokio::test]
async fn a_problem_repeats_nothing_of_the_request_and_nothing_of_the_item() {
    let stack = TestStack::start().await;
    stack.started(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 3));
    let refused = stack.retrieve(&dana, "sub-1", "canary-key").await;
    stack.cloud.set_fault(Fault::new(Service::Kms, "*", Mode::Refused, 3));
    let unsealed = stack.retrieve(&dana, "sub-1", "canary-key").await;
    for answer in [refused, unsealed] {
        assert_eq!(answer.problem(), Some("unavailable"));
        let shown = answer.body.to_string();
        for canary in ["canary", "dana", "fabrikam", "sub-1", "admin", "dynamodb", "kms"] {
            assert!(!shown.contains(canary), "{canary} in {shown}");
        }
    }
}
