//! Checks of the deployment template without AWS. `sam validate`, cfn-lint, checkov, parliament and our own rules must find nothing in it.
//! Each of many copies has one deliberate mistake, a planted fault, which they must find. Finally the template is deployed in a third-party
//! emulator.

#![expect(clippy::print_stdout, reason = "the report shows what was checked")]

mod faults;
mod linters;
mod rules;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use support::product;

use self::{
    faults::{FAULTS, Fault},
    linters::Linters,
};

/// The file name of the template itself, among its copies with faults.
const DEPLOYED: &str = "deployed";

/// A mistake that a check has found in a template.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Finding {
    /// The check that found it: `firstkey`, `sam`, `cfn-lint`, `checkov` or `parliament`.
    by: String,
    rule: String,
    text: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_linter_and_no_rule_finds_anything_and_every_planted_fault_is_found() -> anyhow::Result<()> {
    let Some(linters) = Linters::find() else { return Ok(()) };
    check(&linters).await
}

async fn check(linters: &Linters) -> anyhow::Result<()> {
    let source = product::workspace().join("infra").join("template.yaml");
    let text = fs::read_to_string(&source).with_context(|| source.display().to_string())?;
    let copies = Copies::write(&product::target().join("template"), &text)?;
    // Most of the linters use one processor, so those run at once that do not wait for each other.
    let before = async {
        linters.validate(&source).await?;
        linters.lint_faults(&copies).await
    };
    let after = async {
        linters.transform(&copies).await?;
        tokio::try_join!(linters.lint_deployed(&copies), linters.checkov(&copies), linters.deploy(&copies))
    };
    let (in_faults, (in_deployed, by_checkov, deployed)) = tokio::try_join!(before, after)?;
    let mut found = [in_faults, in_deployed, by_checkov].concat();
    for name in names() {
        found.extend(copies.read(&name)?.into_iter().map(|finding| (name.clone(), finding)));
    }
    let found_in =
        |name: &str| found.iter().filter(|(copy, _)| copy == name).map(|(_, finding)| finding).collect::<Vec<_>>();
    let wrong = found_in(DEPLOYED);
    ensure!(wrong.is_empty(), "infra/template.yaml:\n{}", listed(&wrong));
    let missed =
        FAULTS.iter().filter(|fault| !found_in(&fault.name()).into_iter().any(|finding| fault.matches(finding)));
    let missed: Vec<_> = missed
        .map(|fault| {
            format!(
                "{}, for {}; its copy has only these findings:\n{}",
                fault.name(),
                fault.by,
                listed(&found_in(&fault.name()))
            )
        })
        .collect();
    ensure!(missed.is_empty(), "planted faults that were not found:\n{}", missed.join("\n"));
    let (rules, faults) = (rules::names().count(), FAULTS.len());
    let found =
        format!("no finding, by four linters and {rules} rules of our own; {faults} planted faults, each found");
    println!("template: {found}; {deployed}");
    Ok(())
}

fn listed(findings: &[&Finding]) -> String {
    let line = |finding: &&Finding| format!("  {} {}: {}", finding.by, finding.rule, finding.text);
    if findings.is_empty() { "  nothing".to_owned() } else { findings.iter().map(line).collect::<Vec<_>>().join("\n") }
}

fn names() -> impl Iterator<Item = String> {
    [DEPLOYED.to_owned()].into_iter().chain(FAULTS.iter().map(Fault::name))
}

/// A directory with the template and its copies, each of which has one fault.
struct Copies(PathBuf);

impl Copies {
    fn write(directory: &Path, text: &str) -> anyhow::Result<Self> {
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        for part in ["source", "transformed", "found", "checkov"] {
            fs::create_dir_all(directory.join(part))?;
        }
        let copies = Self(directory.to_owned());
        fs::write(copies.source(DEPLOYED), text)?;
        for fault in FAULTS {
            fs::write(copies.source(&fault.name()), fault.plant(text)?)?;
        }
        Ok(copies)
    }

    fn source(&self, name: &str) -> PathBuf {
        self.0.join("source").join(format!("{name}.yaml"))
    }

    fn transformed(&self, name: &str) -> PathBuf {
        self.0.join("transformed").join(format!("{name}.json"))
    }

    /// Reads the findings in a copy that need no linter here: those of its transformation, of parliament, and of our own rules.
    fn read(&self, name: &str) -> anyhow::Result<Vec<Finding>> {
        let mut found: Vec<Finding> =
            serde_json::from_slice(&fs::read(self.0.join("found").join(format!("{name}.json")))?)?;
        let transformed = self.transformed(name);
        if transformed.exists() {
            found.extend(rules::findings(&serde_json::from_slice(&fs::read(transformed)?)?));
        } else if found.is_empty() {
            bail!("{name} was not transformed, and no finding gives the reason");
        }
        Ok(found)
    }
}
