//! The deployment template, checked without AWS: by `sam validate`, cfn-lint, checkov and parliament, by rules of our own, and by faults
//! that are planted into copies of it, each of which has to be found. Then it is deployed, in an emulator that others wrote.

#![expect(clippy::print_stdout, reason = "what was checked is to be seen")]

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

/// The name of the template itself, among its copies with faults.
const DEPLOYED: &str = "deployed";

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Finding {
    /// Who says so: `firstkey`, `sam`, `cfn-lint`, `checkov` or `parliament`.
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
    linters.validate(&source).await?;
    linters.transform(&copies).await?;

    let mut found = linters.findings(&copies).await?;
    for name in names() {
        found.extend(copies.read(&name)?.into_iter().map(|finding| (name.clone(), finding)));
    }
    let of = |name: &str| found.iter().filter(|(of, _)| of == name).map(|(_, finding)| finding).collect::<Vec<_>>();
    let wrong = of(DEPLOYED);
    ensure!(wrong.is_empty(), "infra/template.yaml:\n{}", listed(&wrong));
    let missed = FAULTS.iter().filter(|fault| !of(&fault.name()).into_iter().any(|finding| fault.is(finding)));
    let missed: Vec<_> = missed
        .map(|fault| format!("{}, for {}; found was:\n{}", fault.name(), fault.by, listed(&of(&fault.name()))))
        .collect();
    ensure!(missed.is_empty(), "planted faults that were not found:\n{}", missed.join("\n"));
    let far = linters.deploy(&copies).await?;
    let (rules, faults) = (rules::names().count(), FAULTS.len());
    let found =
        format!("no finding, by four linters and {rules} rules of our own; {faults} planted faults, each found");
    println!("template: {found}; {far}");
    Ok(())
}

fn listed(findings: &[&Finding]) -> String {
    let line = |finding: &&Finding| format!("  {} {}: {}", finding.by, finding.rule, finding.text);
    if findings.is_empty() { "  nothing".to_owned() } else { findings.iter().map(line).collect::<Vec<_>>().join("\n") }
}

fn names() -> impl Iterator<Item = String> {
    [DEPLOYED.to_owned()].into_iter().chain(FAULTS.iter().map(Fault::name))
}

/// The template and its copies with a fault each, in a directory of their own.
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
            fs::write(copies.source(&fault.name()), fault.planted(text)?)?;
        }
        Ok(copies)
    }

    fn source(&self, name: &str) -> PathBuf {
        self.0.join("source").join(format!("{name}.yaml"))
    }

    fn transformed(&self, name: &str) -> PathBuf {
        self.0.join("transformed").join(format!("{name}.json"))
    }

    /// What is known of a copy without a linter: how its transformation went, what parliament said, and what our rules say.
    fn read(&self, name: &str) -> anyhow::Result<Vec<Finding>> {
        let mut found: Vec<Finding> =
            serde_json::from_slice(&fs::read(self.0.join("found").join(format!("{name}.json")))?)?;
        let transformed = self.transformed(name);
        if transformed.exists() {
            found.extend(rules::findings(&serde_json::from_slice(&fs::read(transformed)?)?));
        } else if found.is_empty() {
            bail!("{name} was not transformed, and nobody says why");
        }
        Ok(found)
    }
}
