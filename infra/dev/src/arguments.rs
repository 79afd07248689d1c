//! The command line.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use lexopt::{Arg, Parser, ValueExt as _};

const USAGE: &str = "\
Starts Firstkey and the local cloud around it, prints one line `ready` when all is up, and opens the console in a
browser, where there is a desktop. Ctrl-C ends it.

Usage: cargo dev [options]

  --port PORT           functions and pages (9000)
  --console-port PORT   console: start a subscription, inbox, events (9001)
  --aws-port PORT       AWS endpoint (9002)
  --oidc-port PORT      OpenID Connect provider (9003)
  --desk-port PORT      support desk (9004)
  --product-port PORT   demo product, which administrators sign in to (9005)
  --data DIR            keep the table, keys, queues, inbox and clock there; otherwise they are in memory
  --redelivery SECONDS  when a queue delivers a failed message again (1)
  --no-open             do not open the console in a browser
  --help

A port of 0 is any free one. Settings of the functions (SUPPORT_EMAIL, CREDENTIAL_LIFETIME_SECONDS, ...) are taken from
the environment where it has them.";

/// The command that was typed.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help(&'static str),
    Dev(DevOptions),
}

/// How `cargo dev` starts.
#[derive(Debug, PartialEq)]
pub(crate) struct DevOptions {
    pub(crate) port: u16,
    pub(crate) console_port: u16,
    pub(crate) aws_port: u16,
    pub(crate) oidc_port: u16,
    pub(crate) desk_port: u16,
    pub(crate) product_port: u16,
    pub(crate) data: Option<PathBuf>,
    pub(crate) redelivery: Duration,
    /// Whether the console is opened in a browser.
    pub(crate) open: bool,
}

impl Default for DevOptions {
    fn default() -> Self {
        Self {
            port: 9000,
            console_port: 9001,
            aws_port: 9002,
            oidc_port: 9003,
            desk_port: 9004,
            product_port: 9005,
            data: None,
            redelivery: Duration::from_secs(1),
            open: true,
        }
    }
}

pub(crate) fn parse(mut parser: Parser) -> anyhow::Result<Command> {
    let mut options = DevOptions::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("port") => options.port = port(&mut parser, "--port")?,
            Arg::Long("console-port") => options.console_port = port(&mut parser, "--console-port")?,
            Arg::Long("aws-port") => options.aws_port = port(&mut parser, "--aws-port")?,
            Arg::Long("oidc-port") => options.oidc_port = port(&mut parser, "--oidc-port")?,
            Arg::Long("desk-port") => options.desk_port = port(&mut parser, "--desk-port")?,
            Arg::Long("product-port") => options.product_port = port(&mut parser, "--product-port")?,
            Arg::Long("data") => options.data = Some(parser.value()?.into()),
            Arg::Long("redelivery") => options.redelivery = redelivery(&mut parser)?,
            Arg::Long("no-open") => options.open = false,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help(USAGE)),
            other => return Err(other.unexpected()).context("`cargo dev --help` lists the options"),
        }
    }
    Ok(Command::Dev(options))
}

fn port(parser: &mut Parser, option: &str) -> anyhow::Result<u16> {
    parser.value()?.parse().with_context(|| format!("{option} takes a port, 0 to 65535"))
}

fn redelivery(parser: &mut Parser) -> anyhow::Result<Duration> {
    let seconds: f64 = parser.value()?.parse().context("--redelivery takes seconds")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(redelivery) if !redelivery.is_zero() => Ok(redelivery),
        _ => bail!("--redelivery takes seconds, more than 0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> anyhow::Result<Command> {
        parse(Parser::from_iter(["dev"].into_iter().chain(line.split_whitespace())))
    }

    fn refusal(line: &str) -> String {
        format!("{:#}", parsed(line).expect_err(line))
    }

    #[test]
    fn dev_has_the_documented_defaults() {
        let Ok(Command::Dev(options)) = parsed("") else { panic!("no option is needed") };
        let ports = [options.port, options.console_port, options.aws_port, options.oidc_port];
        assert_eq!(ports, [9000, 9001, 9002, 9003]);
        assert_eq!([options.desk_port, options.product_port], [9004, 9005]);
        assert_eq!((options.data, options.redelivery, options.open), (None, Duration::from_secs(1), true));
    }

    #[test]
    fn dev_takes_every_option() -> anyhow::Result<()> {
        let line = "--port 0 --console-port=1 --aws-port 2 --oidc-port 3 --desk-port 4 --product-port 5 --data state \
                    --redelivery 0.25 --no-open";
        let options = DevOptions {
            port: 0,
            console_port: 1,
            aws_port: 2,
            oidc_port: 3,
            desk_port: 4,
            product_port: 5,
            data: Some("state".into()),
            redelivery: Duration::from_millis(250),
            open: false,
        };
        assert_eq!(parsed(line)?, Command::Dev(options));
        Ok(())
    }

    #[test]
    fn help_is_asked_for_in_two_ways() -> anyhow::Result<()> {
        for line in ["--help", "-h"] {
            assert_eq!(parsed(line)?, Command::Help(USAGE), "{line}");
        }
        Ok(())
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(refusal("--prot 1"), "`cargo dev --help` lists the options: invalid option '--prot'");
        assert!(refusal("--port 70000").starts_with("--port takes a port, 0 to 65535"));
        assert!(refusal("--redelivery 0").starts_with("--redelivery takes seconds, more than 0"));
        assert!(refusal("--redelivery -1").starts_with("--redelivery takes seconds"));
        assert!(refusal("now").contains("\"now\""));
    }
}
