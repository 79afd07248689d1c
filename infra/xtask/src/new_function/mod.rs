//! `cargo new-function`: writes the crate, event, test and manifest rows of a new function.

mod files;
mod name;
mod route;

use std::path::Path;

use anyhow::{bail, ensure};
use tools::{Workspace, say, tell};

use self::files::{File, Files};
pub(crate) use self::{name::FunctionName, route::Route};

/// The function that `cargo new-function` writes.
#[derive(Debug, PartialEq)]
pub(crate) struct NewFunction {
    pub(crate) name: FunctionName,
    pub(crate) trigger: Trigger,
}

/// The trigger of the new function.
#[derive(Debug, PartialEq)]
pub(crate) enum Trigger {
    Route(Route),
    Queue,
    Schedule,
}

/// The templates of one kind of function.
struct Templates {
    manifest: &'static str,
    main: &'static str,
    handler: &'static str,
    event: &'static str,
    test: &'static str,
}

macro_rules! templates {
    ($kind:literal) => {
        Templates {
            manifest: include_str!(concat!("../../templates/", $kind, "/manifest.toml")),
            main: include_str!(concat!("../../templates/", $kind, "/main.rs")),
            handler: include_str!(concat!("../../templates/", $kind, "/handler.rs")),
            event: include_str!(concat!("../../templates/", $kind, "/event.json")),
            test: include_str!(concat!("../../templates/", $kind, "/test.rs")),
        }
    };
}

impl Trigger {
    fn templates(&self) -> Templates {
        match self {
            Self::Route(_) => templates!("route"),
            Self::Queue => templates!("queue"),
            Self::Schedule => templates!("schedule"),
        }
    }

    /// The trigger in a row of the registry.
    fn registered(&self) -> &'static str {
        match self {
            Self::Route(_) => "Http { status: 204 }",
            Self::Queue => "Queue",
            Self::Schedule => "Schedule",
        }
    }

    /// A sentence about the function as the templates write it, for the README and the registry.
    fn summary(&self) -> &'static str {
        match self {
            Self::Route(_) => "Verifies that the caller is a signed-in customer, and changes nothing.",
            Self::Queue => "Logs the state of the credentials of the subscription that an event names.",
            Self::Schedule => "Logs how late the schedule invokes it.",
        }
    }

    /// The trigger in the README's table of functions.
    fn source(&self) -> String {
        match self {
            Self::Route(route) => format!("`{route}`"),
            Self::Queue => "queue of events".to_owned(),
            Self::Schedule => "schedule".to_owned(),
        }
    }
}

/// Writes the function, or nothing.
pub(crate) async fn run(new: &NewFunction, workspace: &Workspace) -> anyhow::Result<()> {
    let files = plan(new, &workspace.root)?;
    files::write(&workspace.root, &files)?;
    let mut format = workspace.command("cargo");
    format.args(["fmt", "--package", new.name.as_str(), "--package", "tests"]);
    if !format.status().await.is_ok_and(|status| status.success()) {
        say!("cargo fmt failed: the files are written, but may not be formatted");
    }
    for file in &files {
        tell!("{} {}", if file.before.is_some() { "edited" } else { "wrote " }, file.path);
    }
    tell!(
        "\n`cargo verify --quick` says what is missing. CONTRIBUTING.md, \"Add a function\", lists the files to edit."
    );
    Ok(())
}

/// Returns every file that the function needs, with its new contents.
fn plan(new: &NewFunction, root: &Path) -> anyhow::Result<Vec<File>> {
    let NewFunction { name, trigger } = new;
    let mut files = Files::new(root);
    refuse_a_name_that_is_taken(name, &files)?;
    if let Trigger::Route(route) = trigger {
        route.check_against(&files.read("Cargo.toml")?, &files.read("infra/openapi.yaml")?)?;
    }
    let (crate_name, variant) = (name.crate_name(), name.variant());
    let Templates { manifest, main, handler, event, test } = trigger.templates();
    for (path, template) in [
        (format!("functions/{name}/Cargo.toml"), manifest),
        (format!("functions/{name}/src/main.rs"), main),
        (format!("functions/{name}/src/handler.rs"), handler),
        (format!("events/{name}.json"), event),
        (format!("tests/it/{crate_name}.rs"), test),
    ] {
        files.create(path, fill_in(template, new));
    }

    let dependency = format!("{name} = {{ path = \"../../functions/{name}\" }}");
    files.insert_sorted("tests/support/Cargo.toml", |line| line.contains("\"../../functions/"), &dependency)?;
    let (summary, registered) = (trigger.summary(), trigger.registered());
    let row = format!("    /// {summary}\n    \"{name}\" {variant} {crate_name} {registered};");
    // The portal is last: it has every path that no other function has.
    files.insert_before("tests/support/src/functions.rs", "    \"portal\" Portal ", &row)?;
    let row = format!("            | Self::{variant}");
    files.insert_before("tests/support/src/functions.rs", "            | Self::PublishEvents => None,", &row)?;
    files.insert_sorted("tests/it/main.rs", |line| line.starts_with("mod "), &format!("mod {crate_name};"))?;
    let source = trigger.source();
    files.insert_before("README.md", "| `portal` |", &format!("| `{name}` | {source} | {summary} |"))?;
    match trigger {
        Trigger::Route(route) => files.edit("Cargo.toml", |text| route.add_to(&text, name))?,
        Trigger::Queue => {
            let row = format!("    /// Holds the events for `{name}`.\n    \"{name}\" {variant};");
            files.insert_before("infra/cloud/src/queue.rs", "    \"send-mail\" SendMail;", &row)?;
        }
        Trigger::Schedule => {}
    }
    Ok(files.into_all())
}

fn refuse_a_name_that_is_taken(name: &FunctionName, files: &Files) -> anyhow::Result<()> {
    let crate_name = name.crate_name();
    for path in [format!("functions/{name}"), format!("events/{name}.json"), format!("tests/it/{crate_name}.rs")] {
        ensure!(!files.exists(&path), "{path} exists already");
    }
    let locked = files.read("Cargo.lock")?;
    if locked.lines().any(|line| line == format!("name = \"{name}\"") || line == format!("name = \"{crate_name}\"")) {
        bail!("{name} is the name of a crate that this workspace uses already");
    }
    Ok(())
}

fn fill_in(template: &str, new: &NewFunction) -> String {
    let NewFunction { name, trigger } = new;
    let mut text = template.replace("@name@", name.as_str());
    text = text.replace("@crate@", &name.crate_name()).replace("@variant@", &name.variant());
    if let Trigger::Route(route) = trigger {
        text = text.replace("@route@", &route.to_string()).replace("@method@", &route.method);
        text =
            text.replace("@example_path@", &route.example_path()).replace("@parameters@", &route.example_parameters());
    }
    text
}

#[cfg(test)]
mod tests;
