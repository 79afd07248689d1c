//! The command line.

use anyhow::{Context as _, bail, ensure};
use lexopt::{Arg, Parser, ValueExt as _};

use crate::new_function::{FunctionName, NewFunction, Route, Trigger};

const USAGE: &str = "\
The commands that look after this workspace.

  cargo verify          run every check
  cargo new-function    write a new function

`cargo verify --help` and `cargo new-function --help` say more.";

const VERIFY: &str = "\
Installs the tools that this machine lacks under target/tools, then runs every check and stops at the first that fails.

Usage: cargo verify [options]

  --quick         only what a change since the merge base with main can break, in minutes
  --list          print the stages
  --only STAGE    run this stage alone; may be given several times
  --full          run every check as deep as it goes; on the same commit it continues where it stopped
  --help";

const NEW_FUNCTION: &str = "\
Writes a minimal function that compiles, with its crate, event, tests and rows in the manifests. Tests that fail say what it lacks.

Usage: cargo new-function NAME (--route \"METHOD /path\" | --queue | --schedule)

  NAME            in kebab-case, such as pause-credentials
  --route ROUTE   the HTTP API invokes it, such as \"POST /subscriptions/{subscription_id}/pauses\"
  --queue         the queue of its name invokes it
  --schedule      a schedule invokes it
  --help

It writes all files or none. Then `cargo verify --quick` says what is missing.";

/// The command that was typed.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help(&'static str),
    NewFunction(NewFunction),
    Verify(VerifyOptions),
}

/// The options of `cargo verify`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct VerifyOptions {
    pub(crate) list: bool,
    pub(crate) only: Vec<String>,
    pub(crate) full: bool,
    pub(crate) quick: bool,
}

/// Parses the command line.
pub(crate) fn parse(mut parser: Parser) -> anyhow::Result<Command> {
    match parser.next()? {
        Some(Arg::Value(command)) if command == "verify" => verify(&mut parser),
        Some(Arg::Value(command)) if command == "new-function" => new_function(&mut parser),
        None | Some(Arg::Long("help") | Arg::Short('h')) => Ok(Command::Help(USAGE)),
        Some(other) => Err(other.unexpected()).context("the command is `verify` or `new-function`"),
    }
}

fn verify(parser: &mut Parser) -> anyhow::Result<Command> {
    let mut options = VerifyOptions::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("list") => options.list = true,
            Arg::Long("only") => options.only.push(parser.value()?.string()?),
            Arg::Long("full") => options.full = true,
            Arg::Long("quick") => options.quick = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help(VERIFY)),
            other => return Err(other.unexpected()).context("`cargo verify --help` lists the options"),
        }
    }
    let alone = !options.quick || !options.full && !options.list && options.only.is_empty();
    ensure!(alone, "--quick chooses its own checks: it goes with no other option");
    Ok(Command::Verify(options))
}

fn new_function(parser: &mut Parser) -> anyhow::Result<Command> {
    let (mut names, mut triggers) = (Vec::new(), Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(name) => names.push(FunctionName::parse(&name.string()?)?),
            Arg::Long("route") => triggers.push(Trigger::Route(Route::parse(&parser.value()?.string()?)?)),
            Arg::Long("queue") => triggers.push(Trigger::Queue),
            Arg::Long("schedule") => triggers.push(Trigger::Schedule),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help(NEW_FUNCTION)),
            other => return Err(other.unexpected()).context("`cargo new-function --help` lists the options"),
        }
    }
    let (Some(name), true) = (names.pop(), names.is_empty()) else {
        bail!("give one NAME, such as pause-credentials; `cargo new-function --help` says more");
    };
    let (Some(trigger), true) = (triggers.pop(), triggers.is_empty()) else {
        bail!("give one of --route, --queue and --schedule; `cargo new-function --help` says more");
    };
    Ok(Command::NewFunction(NewFunction { name, trigger }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> anyhow::Result<Command> {
        // A tilde is the space in a route.
        let words = line.split_whitespace().map(|word| word.replace('~', " "));
        parse(Parser::from_iter(std::iter::once("xtask".to_owned()).chain(words)))
    }

    fn refusal(line: &str) -> String {
        format!("{:#}", parsed(line).expect_err(line))
    }

    #[test]
    fn verify_takes_every_option() -> anyhow::Result<()> {
        let only = vec!["lint".to_owned(), "test".to_owned()];
        let options = VerifyOptions { list: true, only, full: true, quick: false };
        assert_eq!(parsed("verify --list --only lint --only test --full")?, Command::Verify(options));
        let options = VerifyOptions { quick: true, ..VerifyOptions::default() };
        assert_eq!(parsed("verify --quick")?, Command::Verify(options));
        Ok(())
    }

    #[test]
    fn help_is_everywhere() -> anyhow::Result<()> {
        for (line, help) in
            [("", USAGE), ("--help", USAGE), ("verify -h", VERIFY), ("new-function --help", NEW_FUNCTION)]
        {
            assert_eq!(parsed(line)?, Command::Help(help), "{line}");
        }
        Ok(())
    }

    #[test]
    fn a_new_function_has_a_name_and_one_trigger() -> anyhow::Result<()> {
        let new = |name: &str, trigger| {
            Command::NewFunction(NewFunction { name: FunctionName::parse(name).expect("a name"), trigger })
        };
        assert_eq!(parsed("new-function close-subscription --queue")?, new("close-subscription", Trigger::Queue));
        assert_eq!(parsed("new-function --schedule send-reminders")?, new("send-reminders", Trigger::Schedule));
        let route = Trigger::Route(Route::parse("POST /renewals")?);
        assert_eq!(parsed("new-function renew --route POST~/renewals")?, new("renew", route));
        assert!(refusal("new-function --queue").starts_with("give one NAME"));
        assert!(refusal("new-function a b --queue").starts_with("give one NAME"));
        for line in ["new-function a", "new-function a --queue --schedule", "new-function a --queue --queue"] {
            assert!(refusal(line).starts_with("give one of --route, --queue and --schedule"), "{line}");
        }
        assert!(refusal("new-function a --route").contains("--route"));
        assert!(refusal("new-function a --rout POST~/a").starts_with("`cargo new-function --help` lists the options"));
        Ok(())
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert!(refusal("verify now").contains("\"now\""));
        assert!(refusal("verify --qick").starts_with("`cargo verify --help` lists the options"));
        assert!(refusal("verify --quick --full").starts_with("--quick chooses its own checks"));
        assert!(refusal("deploy").starts_with("the command is `verify` or `new-function`"));
    }
}
