//! Tests that the functions a customer waits for connect to nothing but AWS. Each of their processes has a library preloaded, `only_aws.c`,
//! that refuses every lookup, and every connection but those to AWS's endpoint and Lambda's runtime API. It writes down what it refuses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use provider::{Algorithm, Person};
use serde_json::json;
use support::{Call, Processes, event};
use tokio::{join, process::Command};

/// The functions that a customer waits for who wants the credentials or help.
const FUNCTIONS: [&str; 3] = ["contact-support", "get-credentials", "list-subscriptions"];

/// The connections and lookups that were refused.
struct Refusals(PathBuf);

impl Refusals {
    /// Builds the library, and preloads it into every process that starts from now on.
    async fn record(processes: &Processes) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let named = |name: &str| directory.join(format!("{name}-{}", std::process::id()));
        let (library, lines) = (named("only-aws.so"), named("refused"));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
        compiler.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/crashes/only_aws.c")).arg("-ldl");
        assert!(compiler.status().await.expect("there is a C compiler").success());
        fs::write(&lines, "").unwrap();
        let settings = [("LD_PRELOAD", library.to_str().unwrap()), ("REFUSED_CONNECTIONS", lines.to_str().unwrap())];
        processes.add_settings(&settings);
        processes.end_idle();
        Self(lines)
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.0).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Starts the product with a subscription, whose mail is sent.
async fn started() -> Option<Processes> {
    let processes = super::started().await?;
    processes.cloud.deliver(event("sub-1", "trial")).await.unwrap();
    processes.cloud.drained().await.unwrap();
    Some(processes)
}

/// Sends a request to each of the functions at once, each of which is cold. Returns the statuses, and whether the password was shown.
async fn ask_each(processes: &Processes) -> ([u16; 3], bool) {
    let token = processes.token("dana@fabrikam.example");
    let call = async |function, call: Call| processes.call(function, call.bearer(&token).key("click")).await.unwrap();
    let [support, credentials, list] = FUNCTIONS;
    let (asked, retrieved, listed) = join!(
        call(support, Call::contact_support("sub-1", "Please call.")),
        call(credentials, Call::get_credentials("sub-1")),
        call(list, Call::get("/subscriptions")),
    );
    ([&asked, &retrieved, &listed].map(|answer| answer.status), retrieved.password().is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_address_but_those_of_aws_refused_a_customer_lists_retrieves_and_asks_support() {
    let Some(processes) = started().await else { return };
    assert!(processes.refresh_keys().await);
    let refusals = Refusals::record(&processes).await;
    processes.provider.stop();
    assert_eq!(ask_each(&processes).await, ([202, 200, 200], true));
    assert_eq!(refusals.lines(), Vec::<String>::new(), "no function has tried another address");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_key_id_is_refused_with_401_where_the_provider_cannot_be_reached() {
    let Some(processes) = started().await else { return };
    assert!(processes.refresh_keys().await);
    let refusals = Refusals::record(&processes).await;
    let claims = processes.provider.claims(&Person::with_email("dana@fabrikam.example"));
    let forged = processes.provider.sign(Algorithm::Rs256, &json!({ "kid": "forged" }), &claims);
    let answer = processes.call("list-subscriptions", Call::get("/subscriptions").bearer(&forged)).await.unwrap();
    assert_eq!((answer.status, answer.problem()), (401, Some("not-signed-in")), "{answer:?}");
    assert_eq!(refusals.lines().len(), 1, "the function has tried to ask the provider");
}

/// The same without the keys in the table, to see that another connection is noticed and refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_looks_for_keys_elsewhere_is_noticed() {
    let Some(processes) = started().await else { return };
    let refusals = Refusals::record(&processes).await;
    assert_eq!(ask_each(&processes).await, ([503; 3], false));
    let provider = processes.provider.issuer().replace("http://", "connect ");
    assert_eq!(refusals.lines(), vec![provider; 3], "one attempt of each function");
    assert!(processes.provider.user_agents().is_empty(), "none has arrived");
}
