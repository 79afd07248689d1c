//! Hand-written examples of IAM's rules, and of policies that must be refused because they are not supported.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::policy::{Grant, Request, Role};

const TABLE: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/firstkey";

fn statement(condition: &Value) -> Value {
    let mut statement = json!({"Sid": "S", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE});
    if !condition.is_null() {
        statement["Condition"] = condition.clone();
    }
    statement
}

fn document(statements: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn role(statements: &Value) -> Role {
    Role::read(&[document(statements)]).expect("a role")
}

fn get(context: &[(&str, &[&str])]) -> Request {
    let context =
        context.iter().map(|(key, values)| ((*key).to_owned(), values.iter().map(ToString::to_string).collect()));
    Request { action: "dynamodb:GetItem".into(), resource: TABLE.into(), context: context.collect::<BTreeMap<_, _>>() }
}

fn allows(condition: &Value, context: &[(&str, &[&str])]) -> bool {
    role(&json!([statement(condition)])).decide(&get(context)).is_some()
}

const KEYS: &str = "dynamodb:LeadingKeys";
const NAMES: &str = "kms:EncryptionContextKeys";
const ISSUE: &str = "kms:EncryptionContext:issue";

#[test]
fn a_request_that_no_statement_allows_is_denied() {
    let role = role(&statement(&Value::Null));
    assert!(role.decide(&get(&[])).is_some());
    assert!(role.decide(&Request { action: "dynamodb:PutItem".into(), ..get(&[]) }).is_none());
    assert!(role.decide(&Request { resource: format!("{TABLE}2"), ..get(&[]) }).is_none());
    assert!(Role::read(&[]).expect("a role").decide(&get(&[])).is_none());
}

#[test]
fn an_explicit_denial_overrides_every_grant() {
    let mut denial = statement(&Value::Null);
    (denial["Sid"], denial["Effect"]) = ("D".into(), "Deny".into());
    assert!(role(&json!([statement(&Value::Null), denial])).decide(&get(&[])).is_none());
    denial["Condition"] = json!({"ForAnyValue:StringLike": {KEYS: ["ACCOUNT#*"]}});
    let role = role(&json!([denial, statement(&Value::Null)]));
    assert!(role.decide(&get(&[(KEYS, &["SESSION#1", "ACCOUNT#a"])])).is_none());
    assert!(role.decide(&get(&[(KEYS, &["SESSION#1"])])).is_some());
}

#[test]
fn for_all_values_holds_without_values_and_needs_a_null_condition() {
    let unguarded = json!({"ForAllValues:StringLike": {KEYS: ["SUBSCRIPTION#*", "ACCOUNT#*"]}});
    assert!(allows(&unguarded, &[]), "this is why it needs a guard");
    assert!(allows(&unguarded, &[(KEYS, &[])]));
    let guarded = json!({"Null": {KEYS: "false"}, "ForAllValues:StringLike": {KEYS: ["SUBSCRIPTION#*", "ACCOUNT#*"]}});
    assert!(!allows(&guarded, &[]) && !allows(&guarded, &[(KEYS, &[])]));
    assert!(allows(&guarded, &[(KEYS, &["SUBSCRIPTION#1", "ACCOUNT#a@b"])]));
    assert!(!allows(&guarded, &[(KEYS, &["SUBSCRIPTION#1", "SESSION#x"])]), "one key does not match");
}

#[test]
fn for_any_value_requires_a_matching_value() {
    let condition = json!({"ForAnyValue:StringEquals": {NAMES: ["issue"]}});
    assert!(!allows(&condition, &[]) && !allows(&condition, &[(NAMES, &[])]));
    assert!(allows(&condition, &[(NAMES, &["subscription", "issue"])]));
    assert!(!allows(&condition, &[(NAMES, &["subscription"])]));
}

#[test]
fn a_single_valued_key_must_be_present_and_match() {
    let condition = json!({"StringEquals": {ISSUE: ["1", "2"]}});
    assert!(allows(&condition, &[(ISSUE, &["2"])]));
    assert!(!allows(&condition, &[(ISSUE, &["3"])]) && !allows(&condition, &[]));
    let condition = json!({"StringLike": {"ses:FromAddress": "*@contoso.example"}});
    assert!(allows(&condition, &[("ses:FromAddress", &["a@contoso.example"])]));
    assert!(!allows(&condition, &[("ses:FromAddress", &["a@contoso.example.evil"])]));
}

#[test]
fn null_tests_whether_a_key_is_absent() {
    for (word, with, without) in [("true", false, true), ("false", true, false)] {
        for value in [json!(word), json!(word == "true")] {
            let condition = json!({"Null": {ISSUE: value}});
            assert_eq!((allows(&condition, &[(ISSUE, &["1"])]), allows(&condition, &[])), (with, without), "{word}");
        }
    }
}

#[test]
fn all_operators_and_all_keys_must_hold() {
    let condition =
        json!({"StringEquals": {ISSUE: "1", "kms:EncryptionContext:subscription": "s"}, "Null": {KEYS: "true"}});
    let both: [(&str, &[&str]); 2] = [(ISSUE, &["1"]), ("kms:EncryptionContext:subscription", &["s"])];
    assert!(allows(&condition, &both));
    assert!(!allows(&condition, &both[..1]) && !allows(&condition, &both[1..]));
    assert!(!allows(&condition, &[both[0], both[1], (KEYS, &["x"])]));
}

#[test]
fn wildcards_match_any_text_or_any_character() {
    let like = super::condition::like;
    for (pattern, text) in [
        ("*", ""),
        ("a*c", "ac"),
        ("a*c", "abcbc"),
        ("a?c", "abc"),
        ("*#*", "ACCOUNT#a"),
        ("**", "x"),
        ("a*b*c", "a-b-b-c"),
    ] {
        assert!(like(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in
        [("", "a"), ("a", ""), ("a?c", "ac"), ("a*c", "abcb"), ("ACCOUNT#*", "account#a"), ("a*b*c", "a-c-b")]
    {
        assert!(!like(pattern, text), "{pattern} {text}");
    }
}

#[test]
fn an_unsupported_condition_is_an_error() {
    for (operator, key, value) in [
        ("StringNotEquals", ISSUE, json!("1")),
        ("StringEqualsIfExists", ISSUE, json!("1")),
        ("ForAllValues:StringNotLike", KEYS, json!("a")),
        ("ForSomeValues:StringLike", KEYS, json!("a")),
        ("StringLike", KEYS, json!("a")),
        ("ForAllValues:StringEquals", ISSUE, json!("1")),
        ("StringEquals", "dynamodb:LeadingKey", json!("a")),
        ("StringEquals", "kms:EncryptionContext:", json!("a")),
        ("StringEquals", "aws:SourceIp", json!("192.0.2.1")),
        ("ForAllValues:StringLike", KEYS, json!([])),
        ("ForAllValues:StringLike", KEYS, json!(["${aws:username}"])),
        ("ForAllValues:StringLike", KEYS, json!([{"Ref": "Table"}])),
        ("Null", KEYS, json!("no")),
    ] {
        let condition = json!({operator: {key: value}});
        let error = refusal(|statement| statement["Condition"] = condition.clone());
        assert!(error.starts_with("not supported by the local cloud"), "{condition}");
    }
}

/// Returns the error of a role whose statement was changed to something that is not supported.
fn refusal(change: impl Fn(&mut Value)) -> String {
    let mut unsupported = statement(&json!({"Null": {KEYS: "false"}}));
    change(&mut unsupported);
    Role::read(&[document(&json!([unsupported]))]).expect_err("it is not supported").to_string()
}

#[test]
fn an_unsupported_statement_is_an_error() {
    for (field, value) in [
        ("NotAction", json!("dynamodb:GetItem")),
        ("NotResource", json!("*")),
        ("Principal", json!("*")),
        ("Action", json!("dynamodb:*")),
        ("Action", json!("dynamodb:Get?tem")),
        ("Action", json!("*")),
        ("Action", json!([])),
        ("Action", json!(null)),
        ("Resource", json!(null)),
        ("Resource", json!({"Fn::GetAtt": ["Table", "Arn"]})),
        ("Effect", json!("allow")),
        ("Sid", json!(null)),
        ("Condition", json!([])),
    ] {
        assert!(!refusal(|statement| statement[field] = value.clone()).is_empty(), "{field}");
    }
    let twice = json!([statement(&Value::Null), statement(&Value::Null)]);
    assert!(Role::read(&[document(&twice)]).is_err(), "two statements with the same Sid");
    assert!(Role::read(&[json!({"Version": "2008-10-17", "Statement": []})]).is_err());
    assert!(Role::read(&[json!({"Statement": []})]).is_err());
}

#[test]
fn grants_are_listed_by_statement_action_resource_and_key() {
    let conditions = json!({"Null": {KEYS: "false"}, "ForAllValues:StringLike": {KEYS: ["ACCOUNT#*", "SESSION#*"]}});
    let mut writes = statement(&conditions);
    writes["Action"] = json!(["dynamodb:GetItem", "dynamodb:PutItem"]);
    let role = role(&json!([writes]));
    let grant = |action: &str, keys: &str| Grant {
        sid: "S".into(),
        action: format!("dynamodb:{action}"),
        resource: TABLE.into(),
        keys: Some(keys.into()),
    };
    let all = [("GetItem", "ACCOUNT#*"), ("GetItem", "SESSION#*"), ("PutItem", "ACCOUNT#*"), ("PutItem", "SESSION#*")];
    assert_eq!(role.grants(), all.map(|(action, keys)| grant(action, keys)).into());
    assert_eq!(role.decide(&get(&[(KEYS, &["SESSION#1"])])), Some([grant("GetItem", "SESSION#*")].into()));
    let both = role.decide(&get(&[(KEYS, &["SESSION#1", "ACCOUNT#a"])]));
    assert_eq!(both, Some([grant("GetItem", "SESSION#*"), grant("GetItem", "ACCOUNT#*")].into()));
    assert_eq!(role.without("S").grants(), [].into());
    assert_eq!(role.with_action("S", "dynamodb:Scan").grants().len(), 6);
}

mod authorization_requests {
    //! The authorization requests of calls.

    use super::super::calls;
    use super::*;
    use crate::service::Service;

    /// Returns the action and the leading keys of each request.
    fn asked(operation: &str, call: &Value) -> Vec<(String, Vec<String>)> {
        let requests = calls::requests(Service::DynamoDb, operation, &call.to_string().into());
        let keys = |request: &Request| request.context.get(KEYS).cloned().unwrap_or_default();
        requests.iter().map(|request| (request.action.clone(), keys(request))).collect()
    }

    fn one(action: &str, keys: &[&str]) -> Vec<(String, Vec<String>)> {
        vec![(format!("dynamodb:{action}"), keys.iter().map(ToString::to_string).collect())]
    }

    fn item(pk: &str) -> Value {
        json!({"PK": {"S": pk}, "SK": {"S": "x"}})
    }

    #[test]
    fn a_call_on_an_item_names_its_partition() {
        for operation in ["GetItem", "UpdateItem", "DeleteItem"] {
            assert_eq!(asked(operation, &json!({"TableName": "t", "Key": item("A#1")})), one(operation, &["A#1"]));
        }
        assert_eq!(asked("PutItem", &json!({"TableName": "t", "Item": item("A#1")})), one("PutItem", &["A#1"]));
        let requests = calls::requests(Service::DynamoDb, "GetItem", &json!({"TableName": "t"}).to_string().into());
        assert_eq!(requests[0].resource, "arn:aws:dynamodb:us-east-1:123456789012:table/t");
    }

    #[test]
    fn a_query_names_the_partition_that_its_condition_equals() {
        let query = |condition: &str| {
            let call = json!({
                "TableName": "t", "KeyConditionExpression": condition,
                "ExpressionAttributeNames": {"#pk": "PK", "#sk": "SK"},
                "ExpressionAttributeValues": {":p": {"S": "A#1"}, ":s": {"S": "x"}},
            });
            asked("Query", &call)
        };
        for condition in
            ["PK = :p", "#pk=:p", "#pk = :p AND #sk > :s", "begins_with(#sk, :s) AND #pk = :p", "#sk = :s AND #pk = :p"]
        {
            assert_eq!(query(condition), one("Query", &["A#1"]), "{condition}");
        }
        for condition in ["", "#sk = :s", "#pk = :unknown", "#pk > :p"] {
            assert_eq!(query(condition), one("Query", &[]), "{condition}");
        }
    }

    #[test]
    fn a_transaction_is_authorized_item_by_item_and_a_batch_by_all_its_keys() {
        let put = json!({"Put": {"TableName": "t", "Item": item("A")}});
        let update = json!({"Update": {"TableName": "t", "Key": item("B")}});
        let delete = json!({"Delete": {"TableName": "t", "Key": item("C")}});
        let check = json!({"ConditionCheck": {"TableName": "t", "Key": item("D")}});
        let all = [
            one("PutItem", &["A"]),
            one("UpdateItem", &["B"]),
            one("DeleteItem", &["C"]),
            one("ConditionCheckItem", &["D"]),
        ];
        assert_eq!(asked("TransactWriteItems", &json!({"TransactItems": [put, update, delete, check]})), all.concat());
        let gets = json!({"TransactItems": [{"Get": {"TableName": "t", "Key": item("A")}}]});
        assert_eq!(asked("TransactGetItems", &gets), one("GetItem", &["A"]));
        let batch = json!({"RequestItems": {"t": {"Keys": [item("A"), item("B")]}}});
        assert_eq!(asked("BatchGetItem", &batch), one("BatchGetItem", &["A", "B"]));
        let writes = json!([{"PutRequest": {"Item": item("A")}}, {"DeleteRequest": {"Key": item("B")}}]);
        assert_eq!(
            asked("BatchWriteItem", &json!({"RequestItems": {"t": writes}})),
            one("BatchWriteItem", &["A", "B"])
        );
    }

    #[test]
    fn an_unreadable_call_asks_for_an_action_that_no_role_allows() {
        for (operation, call) in [
            ("TransactWriteItems", json!({})),
            ("TransactWriteItems", json!({"TransactItems": [{"Append": {"TableName": "t", "Key": item("A")}}]})),
            ("TransactWriteItems", json!({"TransactItems": [{"Put": {"TableName": "t"}}]})),
            ("BatchGetItem", json!({"RequestItems": {"t": {"Keys": [{"id": {"S": "A"}}]}}})),
            ("BatchWriteItem", json!({})),
        ] {
            assert_eq!(asked(operation, &call), [("unreadable".to_owned(), Vec::new())], "{operation} {call}");
        }
        for operation in ["Scan", "ExecuteStatement", "DeleteTable", ""] {
            assert_eq!(asked(operation, &json!({"TableName": "t", "Key": item("A")})), one(operation, &[]));
        }
        assert_eq!(
            asked("Query", &json!({"TableName": "t", "IndexName": "i", "KeyConditionExpression": "PK = :p"})),
            one("Query", &[])
        );
    }

    #[test]
    fn a_kms_request_names_the_key_behind_the_alias_and_the_context_by_name_and_value() {
        let call = json!({"KeyId": "alias/firstkey-sealing", "EncryptionContext": {"subscription": "s", "issue": "1"}});
        let requests = calls::requests(Service::Kms, "Decrypt", &call.to_string().into());
        let [request] = requests.as_slice() else { panic!("one request") };
        assert_eq!(
            (&*request.action, &*request.resource),
            ("kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/SealingKey")
        );
        let mut names = request.context[NAMES].clone();
        names.sort();
        assert_eq!(names, ["issue", "subscription"]);
        assert_eq!(request.context[ISSUE], ["1"]);
        let bare = calls::requests(Service::Kms, "Decrypt", &json!({"KeyId": "other"}).to_string().into());
        assert_eq!(
            (&*bare[0].resource, bare[0].context.is_empty()),
            ("arn:aws:kms:us-east-1:123456789012:key/other", true)
        );
    }

    #[test]
    fn a_signature_names_its_algorithm_and_the_kind_of_its_message() {
        const ALGORITHM: &str = "kms:SigningAlgorithm";
        let key = "arn:aws:kms:us-east-1:123456789012:key/SigningKeyTwo";
        let rsa = json!({"StringEquals": {ALGORITHM: "RSASSA_PKCS1_V1_5_SHA_256", "kms:MessageType": "DIGEST"}});
        let mut signs = statement(&rsa);
        (signs["Action"], signs["Resource"]) = ("kms:Sign".into(), key.into());
        let role = role(&json!([signs]));
        for name in ["alias/firstkey-signing-two", "SigningKeyTwo", key] {
            let call = |algorithm: &str, kind: &str| {
                let call = json!({"KeyId": name, "SigningAlgorithm": algorithm, "MessageType": kind});
                let requests = calls::requests(Service::Kms, "Sign", &call.to_string().into());
                let [request] = requests.as_slice() else { panic!("one request") };
                role.decide(request).is_some()
            };
            assert!(call("RSASSA_PKCS1_V1_5_SHA_256", "DIGEST"), "{name}");
            assert!(!call("RSASSA_PSS_SHA_256", "DIGEST"), "{name}");
            assert!(!call("RSASSA_PKCS1_V1_5_SHA_256", "RAW"), "{name}");
        }
        let other = json!({"KeyId": "alias/firstkey-signing-one"});
        let other = calls::requests(Service::Kms, "Sign", &other.to_string().into());
        assert_eq!(other[0].resource, "arn:aws:kms:us-east-1:123456789012:key/SigningKeyOne");
        assert!(role.decide(&other[0]).is_none());
    }

    #[test]
    fn sending_a_mail_requires_the_identity_and_the_configuration_set() {
        let form = "Action=SendEmail&ConfigurationSetName=firstkey&Source=Contoso+%3Ca%40contoso.example%3E";
        let requests = calls::requests(Service::Ses, "SendEmail", &form.into());
        let resources: Vec<_> = requests.iter().map(|request| request.resource.as_str()).collect();
        let arn = |resource: &str| format!("arn:aws:ses:us-east-1:123456789012:{resource}");
        assert_eq!(resources, [arn("identity/contoso.example"), arn("configuration-set/firstkey")]);
        for request in &requests {
            assert_eq!(
                (&*request.action, &request.context["ses:FromAddress"][..]),
                ("ses:SendEmail", &["a@contoso.example".to_owned()][..])
            );
        }
    }
}

mod attached_policies {
    //! The policies of the template's resources, and examples of what is refused because it is not supported.

    use super::super::attached::{self, Attached, AttachedPolicy, Verdict};
    use super::super::names::Names;
    use super::super::{Roles, SOURCE};
    use super::*;
    use template::Template;

    const SENDER: &str = "credentials@contoso.example";
    const STRANGER: &str = "arn:aws:iam::123456789012:role/administrator";

    fn names() -> Names {
        Names {
            table: "firstkey".to_owned(),
            sender: SENDER.to_owned(),
            client_secret: String::new(),
            billing_principals: String::new(),
        }
    }

    fn role_of(function: &str) -> String {
        format!("arn:aws:iam::123456789012:role/firstkey-{function}-us-east-1")
    }

    fn function_arn(function: &str) -> String {
        format!("arn:aws:lambda:us-east-1:123456789012:function:firstkey-{function}")
    }

    fn admits(principal: &str, request: &Request) -> bool {
        let template = Template::deployed().expect("the template");
        let attached: Vec<Attached> = attached::deployed(&template, &names()).expect("its policies");
        attached.iter().all(|attached| attached.admits(principal, request))
    }

    fn unseal(context: &[(&str, &[&str])]) -> Request {
        let bound: [(&str, &[&str]); 3] =
            [(NAMES, &["subscription", "issue"]), (ISSUE, &["1"]), ("kms:EncryptionContext:subscription", &["sub-1"])];
        let resource = "arn:aws:kms:us-east-1:123456789012:key/SealingKey".into();
        Request { action: "kms:Decrypt".into(), resource, ..get(&[&bound[..], context].concat()) }
    }

    fn put_keys(context: &[(&str, &[&str])]) -> Request {
        let leading: [(&str, &[&str]); 1] = [(KEYS, &["PROVIDER#digest"])];
        Request { action: "dynamodb:UpdateItem".into(), ..get(&[&leading[..], context].concat()) }
    }

    #[test]
    fn the_table_is_open_to_the_roles_of_the_template_alone() {
        for function in ["portal", "sign-in", "mail-pipe"] {
            assert!(admits(&role_of(function), &get(&[])), "{function}");
        }
        for stranger in
            [STRANGER, &role_of("desk"), &format!("{}2", role_of("portal")), "arn:aws:iam::123456789012:root"]
        {
            assert!(!admits(stranger, &get(&[])), "{stranger}");
            let describe = Request { action: "dynamodb:DescribeTable".into(), ..get(&[]) };
            assert!(admits(stranger, &describe), "{stranger} may manage the table");
        }
    }

    #[test]
    fn the_bus_for_published_events_is_open_to_the_role_of_publish_events_alone() {
        let put = |bus: &str| {
            let resource = format!("arn:aws:events:us-east-1:123456789012:event-bus/{bus}");
            Request { action: "events:PutEvents".into(), resource, ..get(&[]) }
        };
        assert!(admits(&role_of("publish-events"), &put("PublishedEvents")));
        for stranger in [STRANGER, &role_of("portal"), "arn:aws:iam::123456789012:root"] {
            assert!(!admits(stranger, &put("PublishedEvents")), "{stranger}");
            assert!(admits(stranger, &put("another")), "{stranger} may use another bus");
        }
        let template = Template::deployed().expect("the template");
        let name = &template.resource("PublishedEvents").expect("the bus")["Properties"]["Name"];
        let name = template.resolve(name, &|name| names().value(&template, name)).expect("a name");
        assert_eq!(name, crate::EVENT_BUS);
    }

    #[test]
    fn the_sealing_key_is_open_to_the_roles_that_it_names() {
        for (function, may) in
            [("get-credentials", true), ("send-mail", true), ("subscription-start", false), ("portal", false)]
        {
            assert_eq!(admits(&role_of(function), &unseal(&[])), may, "{function}");
        }
        assert!(!admits(STRANGER, &unseal(&[])));
        let unbound = Request { context: BTreeMap::new(), ..unseal(&[]) };
        assert!(!admits(&role_of("get-credentials"), &unbound), "without the encryption context");
    }

    #[test]
    fn the_sealing_key_is_open_to_the_code_of_the_role_s_own_function_alone() {
        let roles = Roles::deployed(&names()).expect("the roles");
        assert!(roles.allows("get-credentials", &unseal(&[])));
        assert!(roles.allows("get-credentials", &unseal(&[(SOURCE, &[&function_arn("get-credentials")])])));
        assert!(
            !roles.allows("get-credentials", &unseal(&[(SOURCE, &[&function_arn("portal")])])),
            "the code of another function"
        );
        assert!(!roles.allows("get-credentials", &unseal(&[(SOURCE, &[])])), "a caller outside Lambda");
        assert!(!roles.allows("portal", &unseal(&[])));
    }

    #[test]
    fn the_providers_keys_are_put_by_the_code_of_refresh_keys_alone() {
        let roles = Roles::deployed(&names()).expect("the roles");
        assert!(roles.allows("refresh-keys", &put_keys(&[])));
        assert!(roles.allows("refresh-keys", &put_keys(&[(SOURCE, &[&function_arn("refresh-keys")])])));
        assert!(
            !roles.allows("refresh-keys", &put_keys(&[(SOURCE, &[&function_arn("portal")])])),
            "the code of another function"
        );
        assert!(!roles.allows("refresh-keys", &put_keys(&[(SOURCE, &[])])), "a caller outside Lambda");
    }

    #[test]
    fn the_portal_reads_the_client_secret_of_the_deployment_and_no_other() {
        let read = |resource: &str| Request {
            action: "secretsmanager:GetSecretValue".into(),
            resource: format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{resource}"),
            context: BTreeMap::new(),
        };
        let roles =
            Roles::deployed(&Names { client_secret: "firstkey/oidc".to_owned(), ..names() }).expect("the roles");
        assert!(roles.allows("portal", &read("firstkey/oidc-a1B2c3")));
        for other in ["firstkey/oidc", "firstkey/oidc-a1B2c", "firstkey/oidc-2-a1B2c3", "other/firstkey/oidc-a1B2c3"] {
            assert!(!roles.allows("portal", &read(other)), "{other}");
        }
        assert!(!roles.allows("sign-in", &read("firstkey/oidc-a1B2c3")));
        let without = Roles::deployed(&names()).expect("the roles");
        assert!(
            !without.allows("portal", &read("-a1B2c3")) && !without.allows("portal", &read("firstkey/oidc-a1B2c3"))
        );
    }

    /// Returns what the bus says to a principal that publishes an event.
    fn publishes(principal: &str, detail_type: &str, parameters: &[(&str, &str)]) -> Verdict {
        let template = Template::deployed().expect("the template");
        let values = |name: &str| {
            parameters.iter().find(|(parameter, _)| *parameter == name).map(|(_, value)| (*value).to_owned())
        };
        let bus = attached::bus(&template, &names(), &values).expect("the policy of the bus");
        let resource = "arn:aws:events:us-east-1:123456789012:event-bus/VendorBus".into();
        let request = get(&[("events:detail-type", &[detail_type])]);
        bus.decide(principal, &Request { action: "events:PutEvents".into(), resource, ..request })
    }

    #[test]
    fn only_billing_puts_events_where_billing_is_named() {
        const BILLING: &str = "arn:aws:iam::111122223333:role/billing";
        const OTHER: &str = "arn:aws:iam::111122223333:role/other";
        let accounts = ("VendorAccounts", "444455556666,111122223333");
        let principals =
            ("BillingPrincipals", "arn:aws:iam::444455556666:user/x,arn:aws:iam::111122223333:role/billing");
        let started = "SubscriptionStarted";
        assert_eq!(publishes(STRANGER, started, &[]), Verdict::Silent, "its own policies decide");
        assert_eq!(publishes(OTHER, started, &[]), Verdict::Silent, "another account needs to be allowed");
        assert_eq!(publishes(OTHER, started, &[accounts]), Verdict::Allowed);
        assert_eq!(publishes(OTHER, "SubscriptionEnded", &[accounts]), Verdict::Allowed);
        assert_eq!(publishes(OTHER, "InvoicePaid", &[accounts]), Verdict::Silent);
        assert_eq!(publishes(BILLING, started, &[accounts, principals]), Verdict::Allowed);
        for stranger in [STRANGER, OTHER] {
            assert_eq!(publishes(stranger, started, &[accounts, principals]), Verdict::Denied, "{stranger}");
        }
    }

    #[test]
    fn an_unsupported_principal_is_an_error() {
        let policy = |principal: &Value| {
            let mut statement = statement(&Value::Null);
            statement["Principal"] = principal.clone();
            AttachedPolicy::read(&json!([statement]))
        };
        assert!(policy(&json!("*")).is_ok() && policy(&json!({"AWS": "111122223333"})).is_ok());
        for principal in [
            json!(null),
            json!("arn:aws:iam::123456789012:root"),
            json!({"Service": "events.amazonaws.com"}),
            json!({"AWS": "*", "Service": "events.amazonaws.com"}),
            json!({"AWS": []}),
            json!({"CanonicalUser": "x"}),
        ] {
            assert!(policy(&principal).is_err(), "{principal}");
        }
        let mut other = statement(&Value::Null);
        other["NotPrincipal"] = json!("*");
        assert!(AttachedPolicy::read(&json!([other])).is_err());
    }

    #[test]
    fn a_negated_condition_holds_without_the_key() {
        let condition =
            json!({"ArnNotEquals": {"aws:PrincipalArn": ["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b*"]}});
        assert!(allows(&condition, &[]));
        assert!(allows(&condition, &[("aws:PrincipalArn", &["arn:aws:iam::1:role/c"])]));
        assert!(!allows(&condition, &[("aws:PrincipalArn", &["arn:aws:iam::1:role/a"])]));
        assert!(!allows(&condition, &[("aws:PrincipalArn", &["arn:aws:iam::1:role/bcd"])]));
    }
}
