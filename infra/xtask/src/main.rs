//! `cargo verify`, which runs an ordered list of checks, and `cargo new-function`. This crate depends on no code of the product.

mod arguments;
mod installed;
mod new_function;
mod verify;

use std::process::ExitCode;

use tools::{Workspace, say, tell};

use crate::arguments::Command;

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
        Command::NewFunction(new) => new_function::run(&new, &Workspace::find().await?).await,
        Command::Verify(options) => verify::run(&options, Workspace::find().await?).await,
    }
}
