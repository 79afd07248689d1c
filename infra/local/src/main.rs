//! `cargo dev` and `cargo verify`.

mod arguments;
mod dev;
mod environment;
mod tools;
mod verify;
mod workspace;

use std::{fmt, process::ExitCode};

use crate::{arguments::Command, workspace::Workspace};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    match arguments::parse(lexopt::Parser::from_env())? {
        Command::Help(text) => {
            tell!("{text}");
            Ok(())
        }
        Command::Dev(options) => dev::run(options, &Workspace::find().await?).await,
        Command::Verify(options) => verify::run(&options, Workspace::find().await?).await,
    }
}

/// Prints a line of result.
#[macro_export]
macro_rules! tell {
    ($($line:tt)*) => { $crate::print_result(format_args!($($line)*)) };
}

/// Prints a line about what goes on.
#[macro_export]
macro_rules! say {
    ($($line:tt)*) => { $crate::print_progress(format_args!($($line)*)) };
}

#[expect(clippy::print_stdout, reason = "what a command has to say is said there")]
fn print_result(line: fmt::Arguments<'_>) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "progress and errors go beside the results")]
fn print_progress(line: fmt::Arguments<'_>) {
    eprintln!("{line}");
}
