//! A Lambda function that makes the two AWS calls of a retrieval, the conditional `UpdateItem` and `Decrypt`, through the same SDK and
//! runtime as `get-credentials`, and does nothing else: it does not parse the request, verify the token, build the answer or log. The
//! benches compare the answers of `get-credentials` with its answers.
//!
//! The settings hold what the real function reads from the request.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::{
    operation::update_item::{UpdateItemOutput, builders::UpdateItemFluentBuilder},
    primitives::Blob,
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use domain::Principal;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Serialize, de::IgnoredAny};

/// The condition of a retrieval by a person with two principals.
const CONDITION: &str = "#issue = :issue AND attribute_exists(#sealed) AND #exp > :now AND attribute_not_exists(#signed_in) \
     AND attribute_not_exists(#changed) AND attribute_not_exists(#ended) AND (contains(#pu, :p0) OR contains(#pu, :p1)) \
     AND attribute_not_exists(#ret.#rid) AND size(#ret) < :three";

const NAMES: [(&str, &str); 8] = [
    ("#issue", "issue"),
    ("#sealed", "sealed_password"),
    ("#exp", "expires_at"),
    ("#signed_in", "signed_in_at"),
    ("#changed", "changed_at"),
    ("#ended", "ended_at"),
    ("#pu", "portal_users"),
    ("#ret", "retrievals"),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let bare = Bare::new()?;
    lambda_runtime::run(service_fn(|_: LambdaEvent<IgnoredAny>| bare.retrieve())).await
}

/// The clients, and the parts of the calls that are the same each time.
struct Bare {
    dynamodb: aws_sdk_dynamodb::Client,
    kms: aws_sdk_kms::Client,
    table: String,
    sealing_key: String,
    subscription: String,
    now: String,
    label: String,
    /// The person, and the address.
    principals: [Blob; 2],
    retrievals: AtomicU64,
}

/// The answer in the form of API Gateway.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    body: String,
}

impl Bare {
    #[expect(clippy::disallowed_methods, reason = "this program has no stores, which build the clients of functions")]
    fn new() -> Result<Self, Error> {
        let aws = aws::connect(|name| std::env::var(name).ok())?;
        let principal = |name: &str| {
            let principal = Principal::parse(&std::env::var(name)?).ok_or("the setting is no principal")?;
            Ok::<_, Error>(Blob::new(principal.as_bytes()))
        };
        Ok(Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&aws),
            kms: aws_sdk_kms::Client::new(&aws),
            table: std::env::var("TABLE_NAME")?,
            sealing_key: std::env::var("SEALING_KEY")?,
            subscription: std::env::var("BARE_SUBSCRIPTION")?,
            now: std::env::var("BARE_NOW")?,
            label: std::env::var("BARE_LABEL")?,
            principals: [principal("BARE_PERSON")?, principal("BARE_ADDRESS")?],
            retrievals: AtomicU64::new(0),
        })
    }

    async fn retrieve(&self) -> Result<Answer, Error> {
        let item = self.count().send().await?;
        let body = self.unseal(item).await?;
        Ok(Answer { status_code: 200, body })
    }

    /// Returns the write that counts a retrieval. Its id is as long as that of a click.
    fn count(&self) -> UpdateItemFluentBuilder {
        let id = format!("{:022}", self.retrievals.fetch_add(1, Ordering::Relaxed));
        let number = |number: &str| AttributeValue::N(number.to_owned());
        let [person, address] = self.principals.clone().map(AttributeValue::B);
        let retrieval = [
            ("at", number(&self.now)),
            ("by", AttributeValue::S(self.label.clone())),
            ("confirmed", AttributeValue::Bool(true)),
            ("who", person.clone()),
        ];
        let retrieval = retrieval.map(|(name, value)| (name.to_owned(), value)).into();
        let request = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("PK", AttributeValue::S(format!("SUBSCRIPTION#{}", self.subscription)))
            .key("SK", AttributeValue::S("CREDENTIAL".to_owned()))
            .update_expression("SET #ret.#rid = :retrieval")
            .condition_expression(CONDITION)
            .expression_attribute_names("#rid", id)
            .expression_attribute_values(":retrieval", AttributeValue::M(retrieval))
            .expression_attribute_values(":issue", number("1"))
            .expression_attribute_values(":now", number(&self.now))
            .expression_attribute_values(":three", number("3"))
            .expression_attribute_values(":p0", person)
            .expression_attribute_values(":p1", address)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        NAMES
            .into_iter()
            .fold(request, |request, (placeholder, name)| request.expression_attribute_names(placeholder, name))
    }

    async fn unseal(&self, item: UpdateItemOutput) -> Result<String, Error> {
        let sealed = item.attributes.and_then(|mut item| item.remove("sealed_password"));
        let Some(AttributeValue::B(sealed)) = sealed else { return Err("the item has no sealed password".into()) };
        let request = self.kms.decrypt().key_id(&self.sealing_key).ciphertext_blob(sealed);
        let request = request.encryption_context("subscription", &self.subscription).encryption_context("issue", "1");
        let plaintext = request.send().await?.plaintext.ok_or("the answer has no plaintext")?;
        Ok(String::from_utf8(plaintext.into_inner())?)
    }
}
