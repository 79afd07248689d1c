//! The stage `changed` of `--quick`: the tests of the changed crates and of the functions that use them, and the contract in process.

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tools::{Workspace, say};

use super::{Outcome, nextest, stamps::git};

/// The tests that always run: the contract in process, the rules for every function, and the check that the texts of the mutants are still
/// found.
const ALWAYS: &str =
    "binary_id(=tests::it) & test(/^(contract|everything)::/) | package(=xtask) & test(/^verify::mutation::/)";

/// The tests of the deployment, which run for files that belong to no package, such as the template.
const WORKSPACE: &str = "binary_id(=tests::it) & test(/^(template|permissions)::/)";

pub(super) async fn run(workspace: &Workspace) -> Outcome {
    let (changed, graph) = (changed(workspace).await?, Graph::read(workspace).await?);
    let Selection { targets, filters, left_out } = graph.selection(&changed);
    let mut command = nextest::command(workspace).await?;
    command.args(["--workspace", "--lib", "--test", "it", "--bin", "xtask"]).args(&targets);
    command.args(["--filterset", &Vec::from_iter(filters).join(" | ")]);
    let run = nextest::run(command).await?;
    ensure!(run.status.success(), "{}: {}; {}", run.line, run.status, run.summary());
    let left_out = Vec::from_iter(left_out).join(", ");
    if !left_out.is_empty() {
        say!("left to `cargo verify`: {left_out}");
    }
    Ok(Some(format!("{} changed files; {}", changed.len(), run.summary())))
}

/// Returns the files that differ from where this branch left `main`, committed or not.
async fn changed(workspace: &Workspace) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut base = "HEAD".to_owned();
    for main in ["origin/main", "main"] {
        if let Ok(found) = git(workspace, &["merge-base", "HEAD", main]).await {
            base = found;
            break;
        }
    }
    let listed = git(workspace, &["diff", "--name-only", "-z", &base]).await?;
    let untracked = git(workspace, &["ls-files", "-z", "--others", "--exclude-standard"]).await?;
    let names = listed.split('\0').chain(untracked.split('\0')).filter(|name| !name.is_empty());
    Ok(names.map(PathBuf::from).collect())
}

/// The tests that Cargo builds, and those of them that run.
struct Selection {
    targets: BTreeSet<String>,
    filters: BTreeSet<String>,
    /// The test binaries that are too slow for this stage.
    left_out: BTreeSet<String>,
}

/// The packages of the workspace, and their dependencies on each other.
#[derive(Deserialize)]
struct Graph {
    workspace_root: PathBuf,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    path: Option<PathBuf>,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Graph {
    async fn read(workspace: &Workspace) -> anyhow::Result<Self> {
        let mut command = workspace.command("cargo");
        command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
        let output = command.output().await.context("cargo could not be started")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("what cargo metadata printed")
    }

    /// Returns the tests that the changed files call for.
    fn selection(&self, changed: &BTreeSet<PathBuf>) -> Selection {
        let mut filters = BTreeSet::from([ALWAYS.to_owned()]);
        let (mut targets, mut left_out, mut packages) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for file in changed {
            match self.package(file) {
                None => drop(filters.insert(WORKSPACE.to_owned())),
                Some(package) if package.name == "tests" => match directory_and_stem(file) {
                    Some((directory, stem)) if directory == "it" => {
                        filters.insert(format!("binary_id(=tests::it) & test(/^{stem}::/)"));
                    }
                    Some((directory, _)) if package.has_test(&directory) => drop(left_out.insert(directory)),
                    _ => drop(filters.insert("package(=tests) & kind(lib)".to_owned())),
                },
                Some(package) => drop(packages.insert(package.name.as_str())),
            }
        }
        for package in self.packages.iter().filter(|package| packages.contains(package.name.as_str())) {
            filters.insert(format!("package(={})", package.name));
            targets.extend(package.programs_and_tests());
        }
        for function in self.functions_that_use(&packages) {
            let tests = format!("binary_id(=tests::it) & test(/^{}(_\\w+)?::/)", function.replace('-', "_"));
            filters.extend([format!("package(={function})"), tests]);
        }
        Selection { targets, filters, left_out }
    }

    /// Returns the package that a file belongs to: the one in the deepest directory above it.
    fn package(&self, file: &std::path::Path) -> Option<&Package> {
        let file = self.workspace_root.join(file);
        let above = self.packages.iter().filter(|package| package.directory().is_some_and(|at| file.starts_with(at)));
        above.max_by_key(|package| package.manifest_path.components().count())
    }

    /// Returns the functions that are one of `packages` or depend on one, directly or indirectly.
    fn functions_that_use<'a>(&'a self, packages: &BTreeSet<&'a str>) -> impl Iterator<Item = &'a str> {
        let mut using = packages.clone();
        loop {
            let uses = |package: &&Package| package.uses().any(|name| using.contains(name));
            let more: Vec<_> = self.packages.iter().filter(uses).map(|package| package.name.as_str()).collect();
            let before = using.len();
            using.extend(more);
            if using.len() == before {
                break;
            }
        }
        let functions = self.workspace_root.join("functions");
        let all = self.packages.iter().filter(move |package| package.manifest_path.starts_with(&functions));
        all.map(|package| package.name.as_str()).filter(move |name| using.contains(name))
    }
}

impl Package {
    fn directory(&self) -> Option<&std::path::Path> {
        self.manifest_path.parent()
    }

    /// Returns the packages of the workspace that it is built with.
    fn uses(&self) -> impl Iterator<Item = &str> {
        let built_with = |dependency: &&Dependency| dependency.path.is_some() && dependency.kind.is_none();
        self.dependencies.iter().filter(built_with).map(|dependency| dependency.name.as_str())
    }

    fn has_test(&self, name: &str) -> bool {
        self.targets.iter().any(|target| target.name == name && target.is("test"))
    }

    /// Returns Cargo's options for its test binaries and, under `infra`, for its programs, which contain tests.
    fn programs_and_tests(&self) -> impl Iterator<Item = String> {
        let is_tool = self.manifest_path.components().any(|part| part.as_os_str() == "infra");
        let options = move |kind: &'static str, option: &'static str| {
            let targets = self.targets.iter().filter(move |target| target.is(kind));
            targets.map(move |target| format!("{option}={}", target.name))
        };
        options("test", "--test").chain(options("bin", "--bin").filter(move |_| is_tool))
    }
}

impl Target {
    fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|own| own == kind)
    }
}

/// Returns `it` and `portal` for `tests/it/portal.rs`.
fn directory_and_stem(file: &std::path::Path) -> Option<(String, String)> {
    let mut parts = file.components().map(|part| part.as_os_str().to_string_lossy());
    let (_, directory, _) = (parts.next()?, parts.next()?, parts.next()?);
    Some((directory.into_owned(), file.file_stem()?.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn graph() -> Graph {
        let package = |name: &str, directory: &str, uses: &[&str], targets: &[(&str, &str)]| {
            let dependencies: Vec<_> =
                uses.iter().map(|name| json!({ "name": name, "path": format!("/w/shared/{name}") })).collect();
            let targets: Vec<_> = targets.iter().map(|(name, kind)| json!({ "name": name, "kind": [kind] })).collect();
            json!({ "name": name, "manifest_path": format!("/w/{directory}/Cargo.toml"), "dependencies": dependencies,
                "targets": targets })
        };
        let packages = json!([
            package("domain", "shared/domain", &[], &[("domain", "lib")]),
            package("web", "shared/web", &["domain"], &[("web", "lib")]),
            package("portal", "functions/portal", &["web"], &[("portal", "lib"), ("portal", "bin")]),
            package("send-mail", "functions/send-mail", &["domain"], &[("send_mail", "lib")]),
            package("cloud", "infra/cloud", &["domain"], &[("cloud", "lib"), ("cloud", "test")]),
            package("xtask", "infra/xtask", &[], &[("xtask", "bin")]),
            package("tests", "tests", &["web"], &[("it", "test"), ("faults", "test")]),
        ]);
        serde_json::from_value(json!({ "workspace_root": "/w", "packages": packages })).expect("a graph")
    }

    fn selected(files: &[&str]) -> Selection {
        graph().selection(&files.iter().map(PathBuf::from).collect())
    }

    #[test]
    fn a_function_that_changed_is_tested_with_its_sentences() {
        let filters = selected(&["functions/portal/src/handler.rs"]).filters;
        assert!(filters.contains("package(=portal)"), "{filters:?}");
        assert!(filters.contains(r"binary_id(=tests::it) & test(/^portal(_\w+)?::/)"), "{filters:?}");
        assert!(filters.iter().all(|filter| !filter.contains("mail")), "{filters:?}");
    }

    #[test]
    fn what_uses_a_crate_that_changed_is_tested_too() {
        let filters = selected(&["shared/domain/src/lib.rs"]).filters;
        for package in ["domain", "portal", "send-mail"] {
            assert!(filters.contains(&format!("package(={package})")), "{package}: {filters:?}");
        }
        let filters = selected(&["shared/web/src/lib.rs"]).filters;
        assert!(!filters.contains("package(=send-mail)"), "{filters:?}");
    }

    #[test]
    fn test_programs_of_a_crate_are_built_with_it() {
        let targets = selected(&["infra/cloud/src/lib.rs"]).targets;
        assert_eq!(Vec::from_iter(targets), ["--test=cloud"]);
        let targets = selected(&["infra/xtask/src/main.rs"]).targets;
        assert_eq!(Vec::from_iter(targets), ["--bin=xtask"]);
    }

    #[test]
    fn a_file_of_tests_is_run_alone_and_slow_programs_are_left_out() {
        let Selection { filters, left_out, .. } = selected(&["tests/it/condition.rs", "tests/faults/main.rs"]);
        assert!(filters.contains("binary_id(=tests::it) & test(/^condition::/)"), "{filters:?}");
        assert_eq!(Vec::from_iter(left_out), ["faults"]);
    }

    #[test]
    fn the_contract_is_asked_whatever_has_changed() {
        assert_eq!(Vec::from_iter(selected(&[]).filters), [ALWAYS]);
        assert!(selected(&["infra/template.yaml"]).filters.contains(WORKSPACE));
    }
}
