//! `cargo verify`: every check, stage by stage, until one fails.

mod mutation;
mod nextest;
mod proof;
mod quick;
mod size;
mod stamps;
mod steps;
mod test;
mod trees;

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};
use futures_util::future::{BoxFuture, join_all};
use tools::{Workspace, say, tell};

use self::stamps::Stamps;
use crate::{
    arguments::VerifyOptions,
    installed::{
        self, Found,
        environments::{CHECKOV, MINISTACK, SAM, SCHEMATHESIS},
    },
};

/// The result of a stage: its summary, or `None` for one that has only passed.
type Outcome = anyhow::Result<Option<String>>;

/// The budget of a whole run in minutes, on two processors.
const BUDGET_MINUTES: f64 = 60.0;

/// The minutes at which a whole run fails. A machine that shares its processors with others has taken a third more than the budget, and CI ends
/// after 90.
const MOST_MINUTES: f64 = 85.0;

/// One stage of `cargo verify`.
#[derive(Clone, Copy)]
struct Stage {
    name: &'static str,
    about: &'static str,
    /// The budget. A stage that exceeds it is marked; the run fails only if all stages together exceed [`MOST_MINUTES`].
    minutes: u32,
    /// Whether a run that continues repeats this stage, since later stages use what it leaves under the target directory.
    is_repeated: bool,
    /// The names of the stages directly after this one that run concurrently with it, one after the other, because this one often waits or
    /// uses one processor.
    beside: &'static [&'static str],
    run: fn(&Workspace) -> BoxFuture<'_, Outcome>,
}

const fn stage(
    name: &'static str,
    minutes: u32,
    about: &'static str,
    run: fn(&Workspace) -> BoxFuture<'_, Outcome>,
) -> Stage {
    Stage { name, about, minutes, is_repeated: false, beside: &[], run }
}

const fn repeated(stage: Stage) -> Stage {
    Stage { is_repeated: true, ..stage }
}

const fn beside(others: &'static [&'static str], stage: Stage) -> Stage {
    Stage { beside: others, ..stage }
}

const FORMAT: Stage = stage("format", 1, "cargo fmt --check", |workspace| Box::pin(steps::format(workspace)));
const WORDS: Stage = stage("words", 1, "plain English", |workspace| Box::pin(steps::words(workspace)));
const LINT: Stage = stage("lint", 5, "clippy, warnings are errors", |workspace| Box::pin(steps::lint(workspace)));

/// All stages, in the order in which they run: quick ones that are likely to fail come first, and each one follows those that it needs.
const STAGES: [Stage; 19] = [
    FORMAT,
    WORDS,
    // It waits for package registries.
    beside(&["lint"], repeated(stage("tools", 3, "install what is missing", |workspace| Box::pin(install(workspace))))),
    LINT,
    stage("doc", 2, "rustdoc, warnings are errors", |workspace| Box::pin(steps::doc(workspace))),
    stage("deny", 1, "licences, bans, sources", |workspace| Box::pin(steps::deny(workspace))),
    stage("trees", 1, "one TLS stack a function", |workspace| Box::pin(trees::check(workspace))),
    repeated(stage("build", 9, "the functions, as dev runs them", |workspace| Box::pin(steps::build(workspace)))),
    stage("test", 12, "every test; a skip is a failure", |workspace| Box::pin(test::run(workspace))),
    // None of these three keeps two processors busy.
    beside(
        &["contract", "template"],
        stage("faults", 8, "every call failing in every way", |workspace| Box::pin(proof::run(workspace, "faults"))),
    ),
    stage("contract", 3, "the contract, asked from outside", |workspace| {
        Box::pin(proof::with_tools(workspace, "contract", &[SCHEMATHESIS]))
    }),
    stage("template", 5, "the deployment, checked without AWS", |workspace| {
        Box::pin(proof::with_tools(workspace, "template", &[SAM, CHECKOV, MINISTACK]))
    }),
    stage("crashes", 4, "processes killed at every call", |workspace| Box::pin(proof::run(workspace, "crashes"))),
    // A third of one processor is at work: the rest of the time a page is awaited, as a person would.
    beside(
        &["mutation", "release"],
        stage("browser", 8, "the story, keys alone, no scripts, axe-core", |workspace| {
            Box::pin(proof::run(workspace, "browser"))
        }),
    ),
    stage("mutation", 5, "small wrong changes, each caught by a test", |workspace| Box::pin(mutation::run(workspace))),
    repeated(stage("release", 7, "functions as deployed, and packed", |workspace| Box::pin(steps::release(workspace)))),
    stage("size", 1, "a function at most 8 MiB, zipped 3.5", |workspace| {
        Box::pin(async { size::check(workspace, &steps::released(workspace)) })
    }),
    stage("start", 1, "start to first `next`", |workspace| Box::pin(proof::in_profile(workspace, "start"))),
    stage("timing", 1, "one time to sign in, whatever is wrong", |workspace| {
        Box::pin(proof::in_profile(workspace, "timing"))
    }),
];

/// The stages of `--quick`, for the loop while working: what a change can break, in minutes.
const QUICK: [Stage; 4] = [
    FORMAT,
    WORDS,
    LINT,
    stage("changed", 5, "the crates that changed, their functions, the contract", |workspace| {
        Box::pin(quick::run(workspace))
    }),
];

/// Runs the stages that `options` choose. After the first that fails, no other one begins.
pub(crate) async fn run(options: &VerifyOptions, mut workspace: Workspace) -> anyhow::Result<()> {
    workspace.full = options.full;
    let stages = chosen(if options.quick { &QUICK } else { &STAGES }, &options.only)?;
    let stages: Vec<_> = stages.into_iter().filter(|stage| is_here(stage, &workspace)).collect();
    if options.list {
        for Stage { name, about, minutes, .. } in stages {
            tell!("{name:<8} {minutes:>2} min  {about}");
        }
        return Ok(());
    }
    let stamps = Stamps::open(&workspace).await?;
    let (started, mut summary, mut left) = (Instant::now(), String::new(), stages.as_slice());
    while let Some((at_once, later)) = next_at_once(left) {
        left = later;
        let mut failure = None;
        let has_failed = AtomicBool::new(false);
        let lanes = at_once.into_iter().map(|lane| carry_out_in_order(lane, &workspace, &stamps, &has_failed));
        for ended in join_all(lanes).await.into_iter().flatten() {
            writeln!(summary, "{}", ended.line).context("a line of the summary")?;
            failure = failure.or(ended.failure);
        }
        if let Some(failure) = failure {
            tell!("\nverify: failed after {:.1} min\n{summary}", minutes(started));
            return Err(failure);
        }
    }
    let taken = minutes(started);
    let over = if taken > BUDGET_MINUTES && !options.full { ", over the budget" } else { "" };
    tell!("\nverify: all stages passed in {taken:.1} min{over}\n{summary}");
    if let Some(count) = test::passed(&summary) {
        tell!("{count} passed, 0 failed");
    }
    ensure!(options.full || taken <= MOST_MINUTES, "the stages took {taken:.1} minutes, more than {MOST_MINUTES}");
    Ok(())
}

/// Returns whether the workspace has what the stage runs: a checkout may lack the check of the words.
fn is_here(stage: &Stage, workspace: &Workspace) -> bool {
    stage.name != WORDS.name || steps::words_check(workspace).exists()
}

/// Stages that run one after the other.
type Lane<'s> = &'s [&'static Stage];

/// Returns the next stage and, as a second lane, those that run beside it; and the stages after them.
fn next_at_once(stages: Lane<'_>) -> Option<([Lane<'_>; 2], Lane<'_>)> {
    let (first, others) = stages.split_at_checked(1)?;
    let is_beside = |stage: &&Stage| first.iter().any(|first| first.beside.contains(&stage.name));
    let (beside, later) = others.split_at(others.iter().copied().take_while(is_beside).count());
    Some(([first, beside], later))
}

/// A stage that has ended.
struct Ended {
    /// The line of the summary.
    line: String,
    failure: Option<anyhow::Error>,
}

/// Runs stages until one fails, here or in the other lane.
async fn carry_out_in_order(
    lane: Lane<'_>,
    workspace: &Workspace,
    stamps: &Stamps,
    has_failed: &AtomicBool,
) -> Vec<Ended> {
    let mut all = Vec::new();
    for stage in lane {
        if has_failed.load(Ordering::Relaxed) {
            break;
        }
        let ended = carry_out(stage, workspace, stamps).await;
        has_failed.fetch_or(ended.failure.is_some(), Ordering::Relaxed);
        all.push(ended);
    }
    all
}

/// Runs a stage, unless it has passed earlier on this commit, and remembers that it has passed.
async fn carry_out(stage: &Stage, workspace: &Workspace, stamps: &Stamps) -> Ended {
    if !stage.is_repeated
        && let Some(said) = stamps.passed(stage.name)
    {
        return Ended { line: format!("{:<8} {:>9}  {said}", stage.name, "earlier"), failure: None };
    }
    say!("\n== {}: {}", stage.name, stage.about);
    let started = Instant::now();
    let outcome = (stage.run)(workspace).await.map(|said| said.unwrap_or_else(|| "passed".to_owned()));
    let said = outcome.as_deref().unwrap_or("FAILED");
    let taken = minutes(started);
    let over = if taken > f64::from(stage.minutes) && !workspace.full { ", over its budget" } else { "" };
    let line = format!("{:<8} {taken:>5.1} of {:>2} min{over}  {said}", stage.name, stage.minutes);
    say!("== {line}");
    let passed = outcome.inspect_err(|error| say!("{error:#}")).and_then(|said| stamps.pass(stage.name, &said));
    Ended { line, failure: passed.err().map(|error| error.context(format!("stage {}", stage.name))) }
}

/// Returns the stages whose names are in `only`, or all of them if it is empty.
fn chosen(stages: &'static [Stage], only: &[String]) -> anyhow::Result<Vec<&'static Stage>> {
    if let Some(unknown) = only.iter().find(|name| stages.iter().all(|stage| stage.name != name.as_str())) {
        bail!("there is no stage `{unknown}`; `cargo verify --list` lists them");
    }
    Ok(stages.iter().filter(|stage| only.is_empty() || only.iter().any(|name| name == stage.name)).collect())
}

async fn install(workspace: &Workspace) -> Outcome {
    let found = installed::all(workspace).await?;
    for Found { what, at } in &found {
        say!("{what} at {}", at.display());
    }
    Ok(Some(found.iter().map(|tool| &*tool.what).collect::<Vec<_>>().join(", ")))
}

fn minutes(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() / 60.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> anyhow::Result<Vec<&'static str>> {
        let only: Vec<_> = only.iter().map(ToString::to_string).collect();
        Ok(chosen(&STAGES, &only)?.into_iter().map(|stage| stage.name).collect())
    }

    #[test]
    fn stages_run_in_their_own_order_whatever_order_they_are_named_in() -> anyhow::Result<()> {
        assert_eq!(names(&[])?.len(), STAGES.len());
        assert_eq!(names(&["test", "format"])?, ["format", "test"]);
        Ok(())
    }

    /// Returns the lanes of every step, each with the names of its stages.
    fn lanes(only: &[&str]) -> anyhow::Result<Vec<[Vec<&'static str>; 2]>> {
        let only: Vec<_> = only.iter().map(ToString::to_string).collect();
        let (stages, mut steps) = (chosen(&STAGES, &only)?, Vec::new());
        let mut left = stages.as_slice();
        while let Some((at_once, later)) = next_at_once(left) {
            steps.push(at_once.map(|lane| lane.iter().map(|stage| stage.name).collect()));
            left = later;
        }
        Ok(steps)
    }

    #[test]
    fn stages_run_beside_another_one_after_the_other() -> anyhow::Result<()> {
        let all = lanes(&["tools", "lint", "browser", "mutation", "release", "size"])?;
        let expected =
            [[vec!["tools"], vec!["lint"]], [vec!["browser"], vec!["mutation", "release"]], [vec!["size"], vec![]]];
        assert_eq!(all, expected);
        assert_eq!(lanes(&["test", "browser"])?, [[vec!["test"], vec![]], [vec!["browser"], vec![]]]);
        let apart = lanes(&["tools", "template", "browser", "release", "timing"])?;
        let expected = [
            [vec!["tools"], vec![]],
            [vec!["template"], vec![]],
            [vec!["browser"], vec!["release"]],
            [vec!["timing"], vec![]],
        ];
        assert_eq!(apart, expected, "only stages that may run beside another do");
        Ok(())
    }

    #[test]
    fn the_stages_beside_another_one_follow_it_directly() {
        for (place, stage) in STAGES.iter().enumerate() {
            let next: Vec<_> = STAGES[place + 1..].iter().take(stage.beside.len()).map(|next| next.name).collect();
            assert_eq!(next, stage.beside, "{}", stage.name);
        }
    }

    #[tokio::test]
    async fn a_stage_that_fails_is_the_last_of_both_lanes() -> anyhow::Result<()> {
        static PASSES: Stage = stage("passes", 1, "", |_| Box::pin(async { Ok(None) }));
        static FAILS: Stage = stage("fails", 1, "", |_| Box::pin(async { bail!("no") }));
        let workspace = Workspace::find().await?;
        let stamps = Stamps::open(&workspace).await?;
        let has_failed = AtomicBool::new(false);
        let ran = carry_out_in_order(&[&PASSES, &FAILS, &PASSES], &workspace, &stamps, &has_failed).await;
        assert_eq!(ran.iter().map(|ended| ended.failure.is_some()).collect::<Vec<_>>(), [false, true]);
        assert!(carry_out_in_order(&[&PASSES], &workspace, &stamps, &has_failed).await.is_empty(), "the other lane");
        Ok(())
    }

    #[test]
    fn an_unknown_stage_is_named() {
        let refusal = names(&["tset"]).expect_err("no such stage");
        assert_eq!(refusal.to_string(), "there is no stage `tset`; `cargo verify --list` lists them");
    }

    #[test]
    fn the_budgets_of_all_stages_are_an_hour_and_those_of_the_quick_loop_are_twelve_minutes() {
        let minutes = |stages: &'static [Stage]| {
            let (all, mut sum) = (stages.iter().collect::<Vec<_>>(), 0);
            let mut left = all.as_slice();
            while let Some((at_once, later)) = next_at_once(left) {
                let [first, beside] = at_once.map(|lane| lane.iter().map(|stage| stage.minutes).sum::<u32>());
                sum += first.max(beside);
                left = later;
            }
            sum
        };
        assert!(f64::from(minutes(&STAGES)) <= BUDGET_MINUTES, "{}", minutes(&STAGES));
        assert!(minutes(&QUICK) <= 12, "{}", minutes(&QUICK));
    }
}
