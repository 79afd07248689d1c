//! Accounts that nobody created: written straight into the table, as `shared/aws` would have.

use anyhow::ensure;
use bytes::Bytes;
use cloud::{Cloud, REGION};
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

/// As many as `BatchWriteItem` takes.
const AT_ONCE: usize = 25;

/// What all of them have for a password, and what none of them has. They are as long as each other, and nothing is done
/// to either before it is hashed, whether it counts as temporary or as chosen.
pub(crate) const RIGHT: &str = "k7wmp3hxrtvq9s4gnbde";
pub(crate) const WRONG: &str = "k7wmp3hxrtvq9s4gnbdf";

/// [`RIGHT`], as the functions hash passwords: argon2id, 19 MiB, two passes, one lane. Made by libargon2 with the salt
/// `saltsaltsaltsalt`; it opens nothing but the accounts of this test.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$crY6nMQcM+6re3UShMUR+xYsIgTnfQxtAvaJJXmLR1s";

/// What the accounts of this test differ in.
pub(crate) struct Account {
    pub(crate) role: &'static str,
    pub(crate) status: &'static str,
    /// Where the password is temporary: when it ends, in seconds since the epoch.
    pub(crate) expires_at: Option<u64>,
}

impl Account {
    /// In DynamoDB's JSON.
    pub(crate) fn item(&self, user_name: &str) -> Value {
        let mut item = json!({
            "PK": { "S": format!("ACCOUNT#{user_name}") },
            "SK": { "S": "ACCOUNT" },
            "account_id": { "S": "01KAT1M1NG0000000000000000" },
            "role": { "S": self.role },
            "password_hash": { "S": HASH },
            "must_change": { "BOOL": self.expires_at.is_some() },
            "status": { "S": self.status },
            "version": { "N": "1" },
            "subscription_id": { "S": "sub-1" },
        });
        if let Some(expires_at) = self.expires_at {
            item["issue"] = json!({ "N": "1" });
            item["expires_at"] = json!({ "N": expires_at.to_string() });
        }
        item
    }
}

/// Writes the items, and returns when nothing is busy with them any more.
pub(crate) async fn write(cloud: &Cloud, table: &str, items: &[Value]) -> anyhow::Result<()> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    for items in items.chunks(AT_ONCE) {
        let puts: Vec<_> = items.iter().map(|item| json!({ "PutRequest": { "Item": item } })).collect();
        let call = json!({ "RequestItems": { table: puts } });
        let request = Request::post(cloud.aws_url())
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-target", "DynamoDB_20120810.BatchWriteItem")
            .header("x-amz-date", "20260101T000000Z")
            .header(header::AUTHORIZATION, signature());
        let (head, body) = client.request(request.body(Full::from(call.to_string()))?).await?.into_parts();
        let answer = body.collect().await?.to_bytes();
        ensure!(head.status.is_success(), "the accounts were not written: {}", String::from_utf8_lossy(&answer));
    }
    Ok(cloud.drained().await?)
}

/// Of which the local cloud reads who calls what.
fn signature() -> String {
    let scope = format!("verify/20260101/{REGION}/dynamodb/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00")
}
