//! The command line.

use anyhow::{Context as _, ensure};
use lexopt::{Arg, Parser, ValueExt as _};

const USAGE: &str = "\
The commands that look after this workspace.

  cargo verify    run every check

`cargo verify --help` says more.";

const VERIFY: &str = "\
Installs the tools that this machine lacks under target/tools, then runs every check and stops at the first that fails.

Usage: cargo verify [options]

  --quick         only what a change since the merge base with main can break, in minutes
  --list          print the stages
  --only STAGE    run this stage alone; may be given several times
  --full          run every check as deep as it goes; on the same commit it continues where it stopped
  --help";

/// The command that was typed.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help(&'static str),
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
        None | Some(Arg::Long("help") | Arg::Short('h')) => Ok(Command::Help(USAGE)),
        Some(other) => Err(other.unexpected()).context("the command is `verify`"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> anyhow::Result<Command> {
        parse(Parser::from_iter(["xtask"].into_iter().chain(line.split_whitespace())))
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
        for (line, help) in [("", USAGE), ("--help", USAGE), ("verify -h", VERIFY)] {
            assert_eq!(parsed(line)?, Command::Help(help), "{line}");
        }
        Ok(())
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert!(refusal("verify now").contains("\"now\""));
        assert!(refusal("verify --qick").starts_with("`cargo verify --help` lists the options"));
        assert!(refusal("verify --quick --full").starts_with("--quick chooses its own checks"));
        assert!(refusal("deploy").starts_with("the command is `verify`"));
    }
}
