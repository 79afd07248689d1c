//! Benches, on the emulated runtime API of Lambda, with release binaries:
//!
//! ```text
//! cargo bench -p tests                             every bench, and its section and the chart in infra/docs
//! cargo bench -p tests -- peers argon2             some of them, printed alone
//! cargo bench -p tests -- --record peers           the same with its section and the chart
//! ```
//!
//! | bench | what it measures |
//! |---|---|
//! | `functions` | each function: start, first and warm answer, memory, size, calls, units and cost |
//! | `peers` | a retrieval, beside the bare calls of AWS, Node.js and Python |
//! | `argon2` | the verification of a password, beside the reference implementation |
//! | `scale` | retrieval, list, sign-in, search and history with a thousand to a million subscriptions |
//! | `load` | ten minutes at full load |
//!
//! No limit is an absolute time: limits are ratios of one run, counts, or growth of memory. A run prints the limits that are missed, and
//! fails.

#![expect(clippy::print_stdout, reason = "a bench prints its results")]

mod argon2;
mod chart;
mod cost;
mod customers;
mod events;
mod evidence;
mod functions;
mod lab;
mod load;
mod measure;
mod names;
mod peers;
mod process;
mod programs;
mod report;
mod scale;
mod statistics;

use std::{fs, thread::available_parallelism};

use anyhow::{Context as _, bail, ensure};
use domain::Timestamp;
use tokio::process::Command;
use tools::Workspace;

use self::{
    evidence::Bench,
    lab::{Lab, system_time},
    programs::output,
};

const EVIDENCE: &str = "infra/docs/evidence.md";
const CHART: &str = "infra/docs/bench.svg";

/// The results of a bench, as text.
struct Section {
    title: String,
    /// The tables and sentences, in Markdown. It ends with a newline.
    markdown: String,
    /// A sentence for each limit that is missed, and for each other failure.
    missed: Vec<String>,
}

/// The results of a bench.
struct Outcome {
    section: Section,
    /// The chart of the results, as SVG, if the bench draws one.
    chart: Option<String>,
}

/// The benches that the arguments ask for.
struct Asked {
    benches: Vec<Bench>,
    /// Whether the results are written into the documents.
    records: bool,
}

impl Bench {
    async fn run(self, lab: &Lab) -> anyhow::Result<Outcome> {
        let section = match self {
            Self::Functions => functions::run(lab).await?,
            Self::Peers => {
                let (section, chart) = peers::run(lab).await?;
                return Ok(Outcome { section, chart: Some(chart) });
            }
            Self::Argon2 => argon2::run(lab).await?,
            Self::Scale => scale::run(&lab.programs).await?,
            Self::Load => load::run(&lab.programs).await?,
        };
        Ok(Outcome { section, chart: None })
    }
}

impl Asked {
    /// Reads the arguments. Without a name they ask for every bench, and for its record. Cargo adds `--bench`.
    fn from_arguments(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let (mut benches, mut records) = (Vec::new(), false);
        for argument in arguments.filter(|argument| argument != "--bench") {
            if argument == "--record" {
                records = true;
                continue;
            }
            let Some(bench) = Bench::ALL.into_iter().find(|bench| bench.name() == argument) else {
                bail!("no bench {argument}; there are {}", Bench::ALL.map(Bench::name).join(", "));
            };
            benches.push(bench);
        }
        if benches.is_empty() {
            (benches, records) = (Bench::ALL.into(), true);
        }
        Ok(Self { benches, records })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let asked = Asked::from_arguments(std::env::args().skip(1))?;
    let lab = Lab::start().await?;
    let (machine, mut missed) = (machine(&lab.workspace).await?, Vec::new());
    for bench in asked.benches {
        let Outcome { section: Section { title, markdown, missed: its }, chart } = bench.run(&lab).await?;
        let text = format!("### {title}\n\n{machine}\n\n{markdown}");
        println!("{text}");
        if asked.records {
            record(&lab.workspace, bench, &text)?;
            if let Some(svg) = chart {
                fs::write(lab.workspace.root.join(CHART), svg).context(CHART)?;
            }
        }
        missed.extend(its);
    }
    ensure!(missed.is_empty(), "{} limits are missed:\n{}", missed.len(), missed.join("\n"));
    Ok(())
}

/// Returns the date, the commit and the machine of this run, as a sentence.
async fn machine(workspace: &Workspace) -> anyhow::Result<String> {
    let commit = output(workspace.command("git").args(["describe", "--always", "--dirty", "--exclude", "*"])).await?;
    let today = Timestamp::from_epoch_seconds(system_time()).to_string();
    let date = today.split('T').next().unwrap_or_default();
    let kernel = output(Command::new("uname").args(["-s", "-r", "-m"])).await?;
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = |line: &str| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned());
    let cpu = cpus.lines().find_map(name).unwrap_or_else(|| "an unknown processor".to_owned());
    Ok(format!("{date}, commit {commit}, on {} processors ({cpu}), {kernel}.", available_parallelism()?))
}

/// Writes the text of a bench into its place in the document.
fn record(workspace: &Workspace, bench: Bench, text: &str) -> anyhow::Result<()> {
    let path = workspace.root.join(EVIDENCE);
    let document = fs::read_to_string(&path).context(EVIDENCE)?;
    let document = evidence::replace(&document, bench, text);
    let document = document.with_context(|| format!("{EVIDENCE} has no comments for the bench {}", bench.name()))?;
    fs::write(&path, document).context(EVIDENCE)
}
