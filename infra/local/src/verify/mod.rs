//! `cargo verify`: every check, stage by stage, until one fails.

mod contract;
mod mutation;
mod nextest;
mod proof;
mod size;
mod start;
mod steps;
mod template;
mod test;
mod timing;
mod trees;

use std::{fmt::Write as _, time::Instant};

use anyhow::{Context as _, bail};
use futures_util::future::BoxFuture;

use crate::{
    arguments::VerifyOptions,
    say, tell,
    tools::{self, Found},
    workspace::Workspace,
};

/// What a stage has to say when it passed: its own line, or nothing.
type Outcome = anyhow::Result<Option<String>>;

struct Stage {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace) -> BoxFuture<'_, Outcome>,
}

/// In this order: what is quick and likely to fail comes first, and what later stages need before them.
const STAGES: [Stage; 18] = [
    Stage { name: "tools", about: "install what is missing", run: |workspace| Box::pin(install(workspace)) },
    Stage { name: "format", about: "cargo fmt --check", run: |workspace| Box::pin(steps::format(workspace)) },
    Stage { name: "lint", about: "clippy, warnings are errors", run: |workspace| Box::pin(steps::lint(workspace)) },
    Stage { name: "doc", about: "rustdoc, warnings are errors", run: |workspace| Box::pin(steps::doc(workspace)) },
    Stage { name: "deny", about: "licences, bans, sources", run: |workspace| Box::pin(steps::deny(workspace)) },
    Stage { name: "trees", about: "one TLS stack a function", run: |workspace| Box::pin(trees::check(workspace)) },
    Stage {
        name: "template",
        about: "the deployment, checked without AWS",
        run: |workspace| Box::pin(template::check(workspace)),
    },
    Stage {
        name: "build",
        about: "the functions, as dev runs them",
        run: |workspace| Box::pin(steps::build(workspace)),
    },
    Stage { name: "test", about: "every test; a skip is a failure", run: |workspace| Box::pin(test::run(workspace)) },
    Stage {
        name: "contract",
        about: "the contract, asked from outside",
        run: |workspace| Box::pin(contract::check(workspace)),
    },
    Stage {
        name: "faults",
        about: "every call failing in every way",
        run: |workspace| Box::pin(proof::run(workspace, "faults")),
    },
    Stage {
        name: "crashes",
        about: "processes killed at every call",
        run: |workspace| Box::pin(proof::run(workspace, "crashes")),
    },
    Stage {
        name: "browser",
        about: "the story, keys alone, no scripts, axe-core",
        run: |workspace| Box::pin(proof::run(workspace, "browser")),
    },
    Stage {
        name: "mutation",
        about: "small wrong changes, each caught by a test",
        run: |workspace| Box::pin(mutation::run(workspace)),
    },
    Stage {
        name: "release",
        about: "the functions, as deployed, and packed",
        run: |workspace| Box::pin(steps::release(workspace)),
    },
    Stage {
        name: "size",
        about: "a function at most 7 MiB, zipped 3.5",
        run: |workspace| Box::pin(async { size::check(workspace) }),
    },
    Stage { name: "start", about: "start to first `next`", run: |workspace| Box::pin(start::check(workspace)) },
    Stage {
        name: "timing",
        about: "one time to sign in, whatever is wrong",
        run: |workspace| Box::pin(timing::check(workspace)),
    },
];

pub(crate) async fn run(options: &VerifyOptions, mut workspace: Workspace) -> anyhow::Result<()> {
    let stages = chosen(&options.only)?;
    if options.list {
        for Stage { name, about, .. } in stages {
            tell!("{name:<8} {about}");
        }
        return Ok(());
    }
    workspace.full = options.full;
    let (started, mut summary) = (Instant::now(), String::new());
    for stage in stages {
        let outcome = timed(stage, &workspace, &mut summary).await;
        if let Err(error) = outcome {
            tell!("\nverify: failed in stage {}, after {}\n{summary}", stage.name, minutes(started));
            return Err(error.context(format!("stage {}", stage.name)));
        }
    }
    tell!("\nverify: all stages passed in {}\n{summary}", minutes(started));
    if let Some(count) = test::passed(&summary) {
        tell!("{count} passed, 0 failed");
    }
    Ok(())
}

async fn timed(stage: &Stage, workspace: &Workspace, summary: &mut String) -> anyhow::Result<()> {
    say!("\n== {}: {}", stage.name, stage.about);
    let started = Instant::now();
    let outcome = (stage.run)(workspace).await;
    let said = match &outcome {
        Ok(Some(said)) => said,
        Ok(None) => "passed",
        Err(_) => "FAILED",
    };
    let line = format!("{:<8} {:>9}  {said}", stage.name, minutes(started));
    say!("== {line}");
    writeln!(summary, "{line}").context("a line of the summary")?;
    outcome.map(|_| ())
}

fn chosen(only: &[String]) -> anyhow::Result<Vec<&'static Stage>> {
    if let Some(unknown) = only.iter().find(|name| STAGES.iter().all(|stage| stage.name != name.as_str())) {
        bail!("there is no stage `{unknown}`; `cargo verify --list` lists them");
    }
    Ok(STAGES.iter().filter(|stage| only.is_empty() || only.iter().any(|name| name == stage.name)).collect())
}

async fn install(workspace: &Workspace) -> Outcome {
    let found = tools::all(workspace).await?;
    for Found { what, at } in &found {
        say!("{what} at {}", at.display());
    }
    Ok(Some(found.iter().map(|tool| &*tool.what).collect::<Vec<_>>().join(", ")))
}

fn minutes(since: Instant) -> String {
    format!("{:.1} min", since.elapsed().as_secs_f64() / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> anyhow::Result<Vec<&'static str>> {
        let only: Vec<_> = only.iter().map(ToString::to_string).collect();
        Ok(chosen(&only)?.into_iter().map(|stage| stage.name).collect())
    }

    #[test]
    fn stages_run_in_their_own_order_whatever_order_they_are_named_in() -> anyhow::Result<()> {
        assert_eq!(names(&[])?.len(), STAGES.len());
        assert_eq!(names(&["test", "format"])?, ["format", "test"]);
        Ok(())
    }

    #[test]
    fn an_unknown_stage_is_named() {
        let refusal = names(&["tset"]).expect_err("no such stage");
        assert_eq!(refusal.to_string(), "there is no stage `tset`; `cargo verify --list` lists them");
    }
}
