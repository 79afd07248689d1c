//! A refused sign-in takes the same time and has the same answer for every reason, so that a caller who tries names and passwords learns
//! nothing from either.
//!
//! The release build of the function runs as a separate process. Each attempt has a new user name and a new address, so that no attempt is
//! affected by another. The cases alternate in random order. The test then requires:
//!
//! - every answer is the same to the byte, apart from the request id, and so are the calls of AWS that the function makes;
//! - the medians of 200 attempts of each case differ by at most 5 %;
//! - and by no more than random variation explains. A permutation test measures that: the times are assigned to the cases at random,
//!   2,000 times, and the medians may differ by at most the 99th percentile of those differences.
//!
//! This rule fails one run in a hundred although nothing is wrong, and on a busy machine the times may differ by more than 5 %. So if only
//! the times differ, the test repeats the measurement with new names and another order, and the second run decides. Random variation alone
//! then fails one run in ten thousand, while a real difference fails both.

#![expect(clippy::print_stdout, reason = "the report shows what was measured")]

mod accounts;
mod constant_time;
mod statistics;

use std::{net::Ipv4Addr, path::Path, process::Stdio, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use cloud::{
    Cloud, CloudOptions, REGION, events,
    runtime::{Answer, Running, Runtime},
};
use fastrand::Rng;
use serde_json::{Value, json};
use support::product;
use tokio::{net::TcpListener, process::Command};

use self::{
    accounts::{Account, RIGHT, WRONG},
    constant_time::ConstantTimeProxy,
    statistics::{Comparison, Round, SERIES},
};

const FUNCTION: &str = "sign-in";

/// The number of attempts of each case in each series.
const ROUNDS: usize = 100;

/// The number of rounds before the measurement, which open the connections and allocate memory.
const WARM_UP: usize = 3;

/// The seed of the order of the attempts and of the permutations.
const SEED: u64 = 20;

/// A kind of attempt to sign in.
struct Case {
    name: &'static str,
    account: Option<Account>,
    password: &'static str,
}

/// The attempts that are refused after the lookup of the account.
const CASES: [Case; 4] = [
    Case { name: "unknown name", account: None, password: RIGHT },
    Case {
        name: "wrong password",
        account: Some(Account { role: "administrator", status: "active", expires_at: None }),
        password: WRONG,
    },
    Case {
        name: "expired",
        account: Some(Account { role: "service-administrator", status: "active", expires_at: Some(1) }),
        password: RIGHT,
    },
    Case {
        name: "retired",
        account: Some(Account { role: "service-administrator", status: "retired", expires_at: None }),
        password: RIGHT,
    },
];

/// An attempt that succeeds. It shows that the hash belongs to the password, so that the other cases are refused for their own reasons.
const ACCEPTED: Case = Case {
    name: "right password",
    account: Some(Account { role: "service-administrator", status: "active", expires_at: None }),
    password: RIGHT,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sign_in_takes_the_same_time_and_has_the_same_answer_for_every_reason() -> anyhow::Result<()> {
    let Some(function) = product::released(FUNCTION) else { return Ok(()) };
    if support::skip_unless_verifying("a machine that does nothing else") {
        return Ok(());
    }
    compare(&function).await
}

async fn compare(function: &Path) -> anyhow::Result<()> {
    println!("order and permutations by seed {SEED}, and by {} in a second run", SEED + 1);
    let mut bench = Bench::start(function).await?;
    bench.check_accepted(&ACCEPTED).await?;
    bench.rounds(WARM_UP, &mut Rng::with_seed(SEED)).await?;
    let first = bench.compare(SEED).await?;
    if first.is_one_time() {
        println!("timing: {first}");
        return Ok(());
    }
    println!("{first}: measuring a second time");
    let second = bench.compare(SEED + 1).await?;
    let found = if second.is_conclusive() {
        "refused sign-ins take different times"
    } else {
        "the machine is too busy to tell"
    };
    ensure!(second.is_one_time(), "{found}: {second}; in the first run: {first}");
    println!("timing: {second}");
    Ok(())
}

/// The function under test and its cloud.
struct Bench {
    // Fields are dropped in this order, so each caller ends before what it calls.
    function: Running,
    _aws: ConstantTimeProxy,
    cloud: Cloud,
    table: String,
    event: Value,
    /// The number of attempts so far. Each has its own number, and so its own user name and address.
    attempts: u32,
    /// The first refusal, which every other one must equal.
    refusal: Option<Refusal>,
}

/// A refusal: the answer and the calls of AWS that the function made.
#[derive(Debug, PartialEq)]
struct Refusal {
    answer: String,
    calls: Vec<String>,
}

/// A planned attempt to sign in.
struct Attempt<'a> {
    case: &'a Case,
    event: Value,
    /// The indexes of its case and its series, under which its time is recorded.
    place: (usize, usize),
}

impl Bench {
    async fn start(path: &Path) -> anyhow::Result<Self> {
        let options = CloudOptions::new(Arc::new(|_, _| Box::pin(async { Err("nothing is delivered".to_owned()) })));
        let table = options.table.clone();
        let cloud = Cloud::start(listener().await?, listener().await?, options).await?;
        let aws = ConstantTimeProxy::start(cloud.aws_url()).await?;
        accounts::write(&cloud, &table, &[accounts::credential()]).await?;
        let function = Runtime::start().await?.run(command(path, &aws.url, &table))?;
        let events = events::harmless(&product::workspace().join("events")).context("the events")?;
        let event = events.into_iter().find(|(function, _)| function == FUNCTION);
        let (_, event) = event.with_context(|| format!("there is no event for {FUNCTION}"))?;
        Ok(Self { function, _aws: aws, cloud, table, event, attempts: 0, refusal: None })
    }

    /// Checks that an attempt with the right password succeeds, so that refusals are not due to a broken setup.
    async fn check_accepted(&mut self, case: &Case) -> anyhow::Result<()> {
        let planned = self.planned([(case, (0, 0))]).await?;
        let answer = self.function.invoke(&planned[0].event).await.context(case.name)?;
        let status = status(&answer.body)?;
        ensure!(status == 200, "{}: {status} instead of 200: {}", case.name, answer.body);
        Ok(())
    }

    async fn compare(&mut self, seed: u64) -> anyhow::Result<Comparison> {
        let mut random = Rng::with_seed(seed);
        let rounds = self.rounds(ROUNDS, &mut random).await?;
        Ok(Comparison::new(&rounds, &mut random))
    }

    /// Makes the attempts of all rounds: in each, two attempts of every case in random order.
    async fn rounds(&mut self, rounds: usize, random: &mut Rng) -> anyhow::Result<Vec<Round>> {
        let places = CASES.iter().enumerate().flat_map(|(n, case)| (0..SERIES).map(move |series| (case, (n, series))));
        let round: Vec<_> = places.collect();
        let mut planned = self.planned(round.iter().cycle().take(rounds * round.len()).copied()).await?;
        let mut times = vec![Round::default(); rounds];
        for (planned, times) in planned.chunks_mut(round.len()).zip(&mut times) {
            random.shuffle(planned);
            for Attempt { case, event, place } in planned {
                self.cloud.clear_requests();
                let answer = self.function.invoke(event).await.context(case.name)?;
                self.check_refusal(&answer).context(case.name)?;
                times[place.0][place.1] = answer.took;
            }
        }
        Ok(times)
    }

    /// Plans attempts with their user names and addresses, and writes their accounts.
    async fn planned<'a>(
        &mut self,
        cases: impl IntoIterator<Item = (&'a Case, (usize, usize))>,
    ) -> anyhow::Result<Vec<Attempt<'a>>> {
        let (mut planned, mut items) = (Vec::new(), Vec::new());
        for (case, place) in cases {
            self.attempts += 1;
            let user_name = format!("t{:06}@fabrikam", self.attempts);
            items.extend(case.account.as_ref().map(|account| account.item(&user_name)));
            let mut event = self.event.clone();
            event["body"] = json!({ "user_name": user_name, "password": case.password }).to_string().into();
            event["requestContext"]["http"]["sourceIp"] = address(self.attempts).into();
            planned.push(Attempt { case, event, place });
        }
        accounts::write(&self.cloud, &self.table, &items).await?;
        Ok(planned)
    }

    /// Checks that an answer refuses the attempt exactly as the first refusal did.
    fn check_refusal(&mut self, answer: &Answer) -> anyhow::Result<()> {
        let own = |call: &cloud::Request| call.function == FUNCTION;
        let requests = self.cloud.requests().into_iter().filter(own);
        let calls = requests.map(|call| format!("{} {} {:?}", call.service, call.operation, call.status)).collect();
        let actual = Refusal { answer: without_its_id(answer)?, calls };
        let Some(refusal) = &self.refusal else {
            ensure!(status(&answer.body)? == 401, "the attempt was not refused: {}", answer.body);
            self.refusal = Some(actual);
            return Ok(());
        };
        ensure!(actual == *refusal, "the refusal differs from the first one: {actual:#?} instead of {refusal:#?}");
        Ok(())
    }
}

/// Returns the command of the release binary, with every setting that it requires.
fn command(path: &Path, aws: &str, table: &str) -> Command {
    let mut command = Command::new(path);
    command.kill_on_drop(true);
    command.stdout(Stdio::null()).env_clear().envs([
        ("AWS_LAMBDA_FUNCTION_NAME", FUNCTION),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "none"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "none"),
        ("AWS_ENDPOINT_URL", aws),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", FUNCTION),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("TABLE_NAME", table),
        ("PUBLIC_ORIGIN", "https://portal.contoso.example"),
    ]);
    command
}

async fn listener() -> anyhow::Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}

/// Returns an address in 10.0.0.0/8.
fn address(number: u32) -> String {
    Ipv4Addr::from_bits((10 << 24) + number).to_string()
}

fn status(answer: &str) -> anyhow::Result<u64> {
    let answer: Value = serde_json::from_str(answer).context("the answer is not JSON")?;
    answer["statusCode"].as_u64().context("the answer has no status")
}

fn without_its_id(answer: &Answer) -> anyhow::Result<String> {
    let parts: Vec<_> = answer.body.split(&answer.request_id).collect();
    ensure!(parts.len() == 2, "the answer does not name its request once: {}", answer.body);
    Ok(parts.join("<the id of its request>"))
}

#[test]
fn answers_are_compared_without_the_id_of_their_request() -> anyhow::Result<()> {
    let answer = |body: &str| Answer { request_id: "r-1".into(), body: body.into(), took: Duration::ZERO };
    assert_eq!(without_its_id(&answer("{r-1, 401}"))?, "{<the id of its request>, 401}");
    assert!(without_its_id(&answer("{401}")).is_err());
    assert!(without_its_id(&answer("{r-1, r-1}")).is_err());
    Ok(())
}

#[test]
fn every_attempt_has_its_own_address() {
    assert_eq!([1, 255, 256, 70_000].map(address), ["10.0.0.1", "10.0.0.255", "10.0.1.0", "10.1.17.112"]);
}
