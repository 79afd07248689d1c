//! The third-party linters. None of them needs AWS or the network.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use support::product::{installed, workspace};
use tokio::process::Command;

use super::{Copies, DEPLOYED, FAULTS, Finding};

const TRANSFORM: &str = include_str!("transform.py");
const DEPLOY: &str = include_str!("deploy.py");

const REGION: &str = "us-east-1";

/// The Regions whose resource types cfn-lint holds the template against, one in each of three continents.
const REGIONS: [&str; 3] = [REGION, "eu-central-1", "ap-southeast-2"];

/// The checks of checkov that are skipped for the whole template, with the reason. The metadata of a resource lists its own exceptions.
const SKIPPED_CHECKS: [(&str, &str); 7] = [
    ("CKV_AWS_27", "queues are encrypted with the keys of SQS: EventBridge and the Pipe put without a right to a key"),
    (
        "CKV_AWS_50",
        "tracing is a parameter, off by default: it costs as much as the requests, and traces hold nothing that the logs lack",
    ),
    (
        "CKV_AWS_115",
        "a reserved concurrency takes from every other function; new accounts have ten instances to reserve from",
    ),
    (
        "CKV_AWS_116",
        "the API waits, the queues have dead letters of their own, and the next run of a schedule does what a failed one left undone",
    ),
    ("CKV_AWS_117", "the functions reach AWS and the identity provider alone, and nothing reaches them by a network"),
    ("CKV_AWS_158", "logs hold no personal data and no secret, and are encrypted with the key of the service"),
    ("CKV_AWS_173", "settings are names and addresses; they are encrypted with the key of the service"),
];

/// The programs that check templates.
pub(super) struct Linters {
    sam: PathBuf,
    cfn_lint: PathBuf,
    /// The interpreter that has SAM's translator and parliament.
    python: PathBuf,
    checkov: PathBuf,
    /// The interpreter that has ministack.
    ministack: PathBuf,
}

impl Linters {
    /// Finds all programs. Returns `None` if one is missing, so that the caller skips the test.
    pub(super) fn find() -> Option<Self> {
        Some(Self {
            sam: installed("sam", "sam")?,
            cfn_lint: installed("sam", "cfn-lint")?,
            python: installed("sam", "python")?,
            checkov: installed("checkov", "checkov")?,
            ministack: installed("ministack", "python")?,
        })
    }

    pub(super) async fn validate(&self, source: &Path) -> anyhow::Result<()> {
        let mut command = command(&self.sam);
        command.args(["validate", "--lint", "--region", REGION, "--template"]).arg(source);
        succeed(command).await
    }

    /// Transforms all copies, and checks their roles with parliament.
    pub(super) async fn transform(&self, copies: &Copies) -> anyhow::Result<()> {
        let mut command = command(&self.python);
        command.args(["-W", "ignore", "-c", TRANSFORM]).arg(&copies.0);
        succeed(command).await
    }

    /// Deploys the template itself in an emulator. Returns a summary of the result.
    pub(super) async fn deploy(&self, copies: &Copies) -> anyhow::Result<String> {
        let mut command = command(&self.ministack);
        command.args(["-W", "ignore", "-c", DEPLOY]).arg(copies.transformed(DEPLOYED));
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().await?;
        ensure!(output.status.success(), "ministack does not deploy the template: {}", output.status);
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Returns the findings of cfn-lint in the template.
    pub(super) async fn lint_deployed(&self, copies: &Copies) -> anyhow::Result<Vec<(String, Finding)>> {
        self.lint(&REGIONS, [copies.transformed(DEPLOYED)]).await
    }

    /// Returns the findings of cfn-lint in the copies whose fault it must find. It reads them before they are transformed.
    pub(super) async fn lint_faults(&self, copies: &Copies) -> anyhow::Result<Vec<(String, Finding)>> {
        let faulty = names_for("cfn-lint").filter(|name| name != DEPLOYED);
        self.lint(&[REGION], faulty.map(|name| copies.source(&name))).await
    }

    /// Returns the findings of cfn-lint in templates, for some Regions.
    async fn lint(
        &self,
        regions: &[&str],
        templates: impl IntoIterator<Item = PathBuf>,
    ) -> anyhow::Result<Vec<(String, Finding)>> {
        let mut command = command(&self.cfn_lint);
        command.args(["--format", "json", "--include-checks", "I", "--regions"]).args(regions);
        command.arg("--template").args(templates);
        let answer = json(command).await?;
        let read = answer.as_array().context("cfn-lint answers with a list")?.iter().map(|finding| {
            let place = &finding["Location"]["Start"]["LineNumber"];
            let (rule, text) = (&finding["Rule"]["Id"], &finding["Message"]);
            (copy_name(&finding["Filename"]), new_finding("cfn-lint", rule, format!("line {place}: {text}")))
        });
        Ok(read.collect())
    }

    /// Returns the findings of checkov in the template, and in the copies whose fault it must find.
    pub(super) async fn checkov(&self, copies: &Copies) -> anyhow::Result<Vec<(String, Finding)>> {
        let directory = copies.0.join("checkov");
        for name in names_for("checkov") {
            fs::copy(copies.transformed(&name), directory.join(format!("{name}.json")))?;
        }
        let mut command = command(&self.checkov);
        // A path from here, since checkov takes a longer one of the right length for a secret in every environment.
        command.current_dir(&copies.0).args(["--framework", "cloudformation", "--skip-download", "--output", "json"]);
        command.args(["--directory", "checkov", "--skip-check"]).arg(SKIPPED_CHECKS.map(|(check, _)| check).join(","));
        let answer = json(command).await?;
        let checked: BTreeSet<_> =
            checks(&answer, "passed_checks").map(|check| copy_name(&check["file_path"])).collect();
        let missed: Vec<_> = names_for("checkov").filter(|name| !checked.contains(name)).collect();
        ensure!(missed.is_empty(), "checkov has not checked {}", missed.join(", "));
        let read = checks(&answer, "failed_checks").map(|check| {
            let text = format!("{}: {}", check["resource"], check["check_name"]);
            (copy_name(&check["file_path"]), new_finding("checkov", &check["check_id"], text))
        });
        Ok(read.collect())
    }
}

/// Returns a command that cannot use AWS credentials of the developer.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace()).kill_on_drop(true).envs([
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "none"),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("SAM_CLI_TELEMETRY", "0"),
    ]);
    command
}

async fn succeed(mut command: Command) -> anyhow::Result<()> {
    let line = line(&command);
    let status = command.status().await.with_context(|| format!("{line} could not be started"))?;
    ensure!(status.success(), "{line}: {status}");
    Ok(())
}

/// Returns the command line, for messages.
fn line(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Returns the names of the template and of the copies whose fault a linter must find.
fn names_for(linter: &'static str) -> impl Iterator<Item = String> {
    let faults = FAULTS.iter().filter(move |fault| fault.by == linter);
    [DEPLOYED.to_owned()].into_iter().chain(faults.map(super::Fault::name))
}

/// Runs a linter and parses its report. A linter that finds something exits with an error, which is ignored.
async fn json(mut command: Command) -> anyhow::Result<Value> {
    let line = line(&command);
    let output = command.output().await.with_context(|| format!("{line} could not be started"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).with_context(|| format!("{line}: {}\n{errors}", output.status))
}

fn checks<'a>(answer: &'a Value, which: &str) -> impl Iterator<Item = &'a Value> {
    answer["results"][which].as_array().into_iter().flatten()
}

fn new_finding(linter: &str, rule: &Value, text: String) -> Finding {
    Finding { by: linter.to_owned(), rule: rule.as_str().unwrap_or_default().to_owned(), text }
}

fn copy_name(file: &Value) -> String {
    let stem = Path::new(file.as_str().unwrap_or_default()).file_stem();
    stem.unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_skipped_check_has_a_reason() {
        for (check, reason) in SKIPPED_CHECKS {
            assert!(check.starts_with("CKV_AWS_") && reason.split(' ').count() > 5, "{check}: {reason}");
        }
    }

    #[test]
    fn every_exception_of_a_resource_has_a_reason_beside_it() -> anyhow::Result<()> {
        let template = template::Template::deployed()?;
        let resources = template.document()["Resources"].as_object().context("resources")?;
        let skipped = resources.values().filter_map(|resource| resource["Metadata"]["checkov"]["skip"].as_array());
        let skipped: Vec<_> = skipped.flatten().collect();
        assert!(!skipped.is_empty());
        for skip in skipped {
            assert!(skip["comment"].as_str().is_some_and(|reason| reason.split(' ').count() > 5), "{skip}");
        }
        Ok(())
    }
}
