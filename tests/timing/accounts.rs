//! Test accounts, which are written directly into the table in the form that `shared/aws` uses.

use anyhow::ensure;
use bytes::Bytes;
use cloud::{Cloud, REGION};
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

/// The most items that `BatchWriteItem` accepts.
const BATCH: usize = 25;

/// The password of every account, and one that no account has. They have the same length, and neither changes when it is normalized before
/// hashing, whether it counts as temporary or as chosen.
pub(crate) const RIGHT: &str = "k7wmp3hxrtvq9s4gnbde";
pub(crate) const WRONG: &str = "k7wmp3hxrtvq9s4gnbdf";

/// The hash of [`RIGHT`], with the parameters of the functions: argon2id, 19 MiB, two passes, one lane. libargon2 computed it with the salt
/// `saltsaltsaltsalt`. Only the accounts of this test use it.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$crY6nMQcM+6re3UShMUR+xYsIgTnfQxtAvaJJXmLR1s";

/// An account: the attributes in which the accounts of this test differ.
pub(crate) struct Account {
    pub(crate) role: &'static str,
    pub(crate) status: &'static str,
    /// The time at which a temporary password expires, in seconds since the epoch; `None` for a chosen password.
    pub(crate) expires_at: Option<u64>,
}

impl Account {
    /// Returns the item in DynamoDB's JSON.
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

/// Returns the credential of the accounts' subscription, which has not ended: a sign-in that succeeds reads it.
pub(crate) fn credential() -> Value {
    json!({
        "PK": { "S": "SUBSCRIPTION#sub-1" },
        "SK": { "S": "CREDENTIAL" },
        "company": { "M": { "id": { "S": "fabrikam" }, "name": { "S": "Fabrikam, Inc." } } },
        "expires_at": { "N": "1794906000" },
        "issue": { "N": "1" },
        "issued_at": { "N": "1794301200" },
        "kind": { "S": "trial" },
        "portal_users": { "BS": ["Qf65q/eunZxg4MNB6MDEUA=="] },
        "product": { "S": "Contoso Online Suite" },
        "retrievals": { "M": {} },
        "seq": { "N": "3" },
        "signed_in_at": { "N": "1794301200" },
        "started_at": { "N": "1794301200" },
        "user_name": { "S": "admin@fabrikam" },
    })
}

/// Writes the items, and waits until the local cloud has handled all resulting events.
pub(crate) async fn write(cloud: &Cloud, table: &str, items: &[Value]) -> anyhow::Result<()> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    for items in items.chunks(BATCH) {
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

/// Returns a signature, from which the local cloud reads only the caller and the service.
fn signature() -> String {
    let scope = format!("verify/20260101/{REGION}/dynamodb/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00")
}
