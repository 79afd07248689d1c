//! Benches, on the emulated runtime API of Lambda, with release binaries:
//!
//! ```text
//! cargo bench -p tests                        every bench, and the report in infra/docs
//! cargo bench -p tests -- peers argon2        some of them, printed alone
//! ```
//!
//! | bench | what it measures |
//! |---|---|
//! | `functions` | each function: start, first and warm answer, memory, size, calls, units and cost |
//! | `peers` | a retrieval, beside the bare calls of AWS, Node.js and Python |
//! | `argon2` | the verification of a password, beside the reference implementation |
//! | `scale` | the same with a thousand and a million subscriptions |
//! | `load` | ten minutes at full load |
//!
//! No absolute time is a bar, only ratios of one run are. The bench prints the bars that are missed, and fails.

#![expect(clippy::print_stdout, reason = "a bench prints its results")]

mod installed;
mod lab;
mod measure;
mod peers;
mod process;
mod programs;
mod report;
mod statistics;

use anyhow::{bail, ensure};

use self::{lab::Lab, report::Section};

/// A bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bench {
    Peers,
}

impl Bench {
    const ALL: [(&'static str, Self); 1] = [("peers", Self::Peers)];

    /// Returns the benches that the arguments name; all of them if they name none. Cargo adds `--bench`.
    fn from_arguments(arguments: impl Iterator<Item = String>) -> anyhow::Result<Vec<Self>> {
        let mut asked = Vec::new();
        for argument in arguments.filter(|argument| argument != "--bench") {
            let Some((_, bench)) = Self::ALL.into_iter().find(|(name, _)| *name == argument) else {
                let names = Self::ALL.map(|(name, _)| name).join(", ");
                bail!("no bench {argument}; there are {names}");
            };
            asked.push(bench);
        }
        Ok(if asked.is_empty() { Self::ALL.map(|(_, bench)| bench).into() } else { asked })
    }

    async fn run(self, lab: &Lab) -> anyhow::Result<Section> {
        match self {
            Self::Peers => Ok(peers::run(lab).await?.0),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let asked = Bench::from_arguments(std::env::args().skip(1))?;
    let lab = Lab::start().await?;
    let mut missed = Vec::new();
    for bench in asked {
        let section = bench.run(&lab).await?;
        println!("## {}\n\n{}", section.title, section.markdown);
        missed.extend(section.missed);
    }
    ensure!(missed.is_empty(), "{} bars are missed:\n{}", missed.len(), missed.join("\n"));
    Ok(())
}
