//! The verification of a password by `lambda::Hasher`, beside the reference implementation in C with the same parameters.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use domain::{PasswordHash, TemporaryPassword};
use lambda::Hasher;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    Section,
    lab::Lab,
    peers::Peers,
    report::{Check, Limit, Table, checks_table, missed, number},
    statistics::Samples,
};

/// The number of verifications of each.
const ROUNDS: u32 = 60;

/// A password, as its owner types it.
const TYPED: &str = "ABCDE-FGHJK-MNPQR-STVWX";

/// Measures both in turns.
pub(crate) async fn run(lab: &Lab) -> anyhow::Result<Section> {
    let peers = Peers::get(&lab.workspace).await?;
    let (hasher, password) = (Hasher::default(), TemporaryPassword::comparable(TYPED));
    let hash = hasher.hash(password.clone()).await?;
    ensure!(hash.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "a bench hashes as a release does");
    let script = lab.workspace.root.join("tests/bench/peers/verify.py");
    let mut command = Command::new(&peers.python);
    command.arg(script).args([hash.as_phc(), password.as_str()]);
    let mut reference = Reference::start(command)?;
    let (mut own, mut others) = (Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        own.push_time(verify(&hasher, &hash).await?);
        others.push_time(reference.verify().await?);
    }
    Ok(report(&own, &others))
}

async fn verify(hasher: &Hasher, hash: &PasswordHash) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let is_right = hasher.verify(TemporaryPassword::comparable(TYPED), Some(hash)).await?;
    let took = began.elapsed();
    ensure!(is_right, "the password does not match its hash");
    Ok(took)
}

fn report(own: &Samples, others: &Samples) -> Section {
    let checks =
        [Check::new("verification against the reference", Limit::AtMost(0.85), own.median() / others.median())];
    let mut table = Table::new(&["argon2id, 19 MiB, 2 passes, 1 lane", "verification, ms", "p99, ms"]);
    for (name, samples) in [("`lambda::Hasher`", own), ("libargon2, by argon2-cffi", others)] {
        table.row([name.to_owned(), number(samples.median()), number(samples.percentile(99))]);
    }
    let markdown = format!(
        "Medians of {ROUNDS} verifications of each, in turns. `lambda::Hasher` wipes its memory, which is in its time.\n\n{}\n{}",
        table.markdown(),
        checks_table(&checks),
    );
    Section { title: "argon2".to_owned(), markdown, missed: missed(&checks) }
}

/// A process with the reference implementation.
struct Reference {
    orders: ChildStdin,
    times: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Reference {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut process = command.kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = process.stdin.take().context("no standard input")?;
        let times = BufReader::new(process.stdout.take().context("no standard output")?).lines();
        Ok(Self { orders, times, _process: process })
    }

    async fn verify(&mut self) -> anyhow::Result<Duration> {
        self.orders.write_all(b"\n").await?;
        let line = self.times.next_line().await?.context("the reference has ended")?;
        Ok(Duration::from_nanos(line.trim().parse()?))
    }
}
