//! A test of the HTTP contract against the running product. Schemathesis sends requests that `infra/openapi.yaml` allows and requests that
//! it does not, with real tokens. It must find no 5xx and no answer that the contract does not describe. `hooks.py` leaves out the answers of
//! cargo-lambda itself.

#![expect(clippy::print_stdout, reason = "the report shows how many requests were sent")]

use std::{collections::VecDeque, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use support::{
    event,
    product::{self, Product},
};
use tokio::{process::Command, time::sleep};

const SEED: &str = "20";

/// The number of random cases of each operation in each phase. `FIRSTKEY_FULL=1` tries ten times as many.
const CASES: u32 = 20;

const CHOSEN: &str = "seven green boats at noon";
const OWN: &str = "a quiet lamp over the harbour";

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_the_running_product_matches_the_contract() -> anyhow::Result<()> {
    let Some(schemathesis) = product::installed("schemathesis", "schemathesis") else { return Ok(()) };
    if support::skip_unless_verifying("cargo-lambda and Schemathesis") {
        return Ok(());
    }
    let product = Product::start(&product::workspace()).await?;
    let outcome = run(&schemathesis, &product).await;
    product.stop().await?;
    outcome
}

async fn run(schemathesis: &Path, product: &Product) -> anyhow::Result<()> {
    let setup = Setup { product, client: Client::builder(TokioExecutor::new()).build_http() };
    let (token, session, account) = setup.prepare().await.context("the setup")?;
    let cases = if support::has_env("FIRSTKEY_FULL") { CASES * 10 } else { CASES }.to_string();
    println!("{cases} cases of each operation, by seed {SEED}");
    let workspace = product::workspace().canonicalize()?;
    let here = workspace.join("tests").join("contract");
    let mut command = Command::new(schemathesis);
    command.arg("--config-file").arg(here.join("schemathesis.toml"));
    command.arg("run").arg(workspace.join("infra").join("openapi.yaml")).arg("--no-color");
    command.args(["--url", &product.functions, "--seed", SEED, "--max-examples", &cases]);
    // Schemathesis writes its state to the current directory, and Python finds `hooks.py` by its path.
    command.current_dir(product::target()).env("PYTHONPATH", &here);
    command.env("FIRSTKEY_ID_TOKEN", token).env("FIRSTKEY_SESSION", session).env("FIRSTKEY_ACCOUNT", account);
    command.env("FIRSTKEY_REDIRECT_URI", format!("{}/callback", product.product));
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().context("schemathesis")?;
    let output = child.wait_with_output().await?;
    let report = String::from_utf8_lossy(&output.stdout);
    println!("{}", report.trim_end());
    ensure!(output.status.success(), "an answer does not match infra/openapi.yaml: {}", output.status);
    let counted = report.lines().find(|line| line.contains("generated")).unwrap_or_default();
    println!("contract: seed {SEED}: {}", counted.trim());
    Ok(())
}

/// A client that prepares the running product: it creates the subscriptions, the token and the session that the requests use.
struct Setup<'a> {
    product: &'a Product,
    client: Client<HttpConnector, Full<VecDeque<u8>>>,
}

impl Setup<'_> {
    /// Starts two subscriptions and hands one over to its administrator, who adds another one. Returns a customer's token, the administrator's
    /// session, and the id of the other one's account.
    async fn prepare(&self) -> anyhow::Result<(String, String, String)> {
        for subscription in ["sub-1002", "sub-1001"] {
            let started =
                self.post(&format!("{}/events", self.product.console), "", &event(subscription, "trial")).await?;
            ensure!(started.body == json!({ "batchItemFailures": [] }), "{subscription}: {}", started.body);
        }
        let password = self.mailed_password("admin@fabrikam").await?;
        let session = self.sign_in("admin@fabrikam", &password).await?;
        let reset = self.post_to_function("reset-password", &session, &json!({ "new_password": CHOSEN })).await?;
        let lee = json!({ "user_name": "lee@fabrikam", "display_name": "Lee Ahmadi", "password": OWN });
        self.post_to_function("administrators", &reset.session, &lee).await?;
        let session = self.sign_in("lee@fabrikam", OWN).await?;
        let mo = json!({ "user_name": "mo@fabrikam", "display_name": "Mo Saeed", "current_password": OWN });
        let mo = self.post_to_function("administrators", &session, &mo).await?.body;
        let person = json!({ "email": "dana@fabrikam.example" });
        let token = self.post(&format!("{}/dev/token", self.product.oidc), "", &person).await?.body;
        let text = |value: &Value, name: &str| value[name].as_str().map(ToOwned::to_owned).context(name.to_owned());
        Ok((text(&token, "id_token")?, session, text(&mo, "account_id")?))
    }

    async fn mailed_password(&self, user_name: &str) -> anyhow::Result<String> {
        for _ in 0..100 {
            let request = Request::get(format!("{}/inbox", self.product.console)).body(Full::default())?;
            let inbox = self.exchange(request).await?.body;
            let mut mails = inbox.as_array().into_iter().flatten().filter_map(|mail| mail["text"].as_str());
            let is_password = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5);
            let mail = mails.find(|text| text.lines().any(|line| line.trim() == user_name));
            if let Some(password) = mail.and_then(|text| text.lines().map(str::trim).find(is_password)) {
                return Ok(password.to_owned());
            }
            sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("no mail for {user_name}")
    }

    async fn sign_in(&self, user_name: &str, password: &str) -> anyhow::Result<String> {
        Ok(self
            .post_to_function("sign-in", "", &json!({ "user_name": user_name, "password": password }))
            .await?
            .session)
    }

    async fn post_to_function(&self, path: &str, session: &str, body: &Value) -> anyhow::Result<Answer> {
        let answer = self.post(&format!("{}/{path}", self.product.functions), session, body).await?;
        ensure!(answer.succeeded, "{path}: {}", answer.body["code"]);
        Ok(answer)
    }

    async fn post(&self, url: &str, session: &str, body: &Value) -> anyhow::Result<Answer> {
        let request = Request::post(url).header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::COOKIE, format!("__Host-session={session}"));
        self.exchange(request.body(Full::new(VecDeque::from(body.to_string().into_bytes())))?).await
    }

    async fn exchange(&self, request: Request<Full<VecDeque<u8>>>) -> anyhow::Result<Answer> {
        let (head, body) = self.client.request(request).await?.into_parts();
        let cookie = head.headers.get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let session = cookie.and_then(|cookie| cookie.strip_prefix("__Host-session=")?.split(';').next());
        Ok(Answer {
            succeeded: head.status.is_success(),
            session: session.unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&body.collect().await?.to_bytes()).unwrap_or_default(),
        })
    }
}

struct Answer {
    succeeded: bool,
    session: String,
    body: Value,
}
