//! The ports, all taken before anything is built: a taken one is better said at once than in two minutes.

use std::{io, net::Ipv4Addr};

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::loopback::Loopback;
use crate::arguments::DevOptions;

/// Everything listens on loopback alone.
pub(super) struct Ports {
    pub(super) console: TcpListener,
    pub(super) aws: TcpListener,
    pub(super) oidc: TcpListener,
    pub(super) loopback: Option<Loopback>,
    /// Where the functions are called; cargo-lambda is behind it.
    pub(super) functions: TcpListener,
}

impl Ports {
    pub(super) async fn take(options: &DevOptions) -> anyhow::Result<Self> {
        let functions = take(options.port, "--port").await?;
        let port = number(&functions)?;
        Ok(Self {
            functions,
            loopback: Loopback::forward(port).await.with_context(|| taken("::1", port, "--port"))?,
            console: take(options.console_port, "--console-port").await?,
            aws: take(options.aws_port, "--aws-port").await?,
            oidc: take(options.oidc_port, "--oidc-port").await?,
        })
    }
}

/// A port that nobody has, for cargo-lambda, which listens by itself.
pub(super) async fn free() -> anyhow::Result<u16> {
    Ok(number(&take(0, "--port").await?)?)
}

async fn take(port: u16, option: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.with_context(|| taken("127.0.0.1", port, option))
}

fn taken(address: &str, port: u16, option: &str) -> String {
    format!("port {port} of {address} cannot be used; end what uses it, or choose another with {option}")
}

/// The port of a listener.
pub(super) fn number(listener: &TcpListener) -> io::Result<u16> {
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_option_that_changes_it() -> anyhow::Result<()> {
        let taken = TcpListener::bind("127.0.0.1:0").await?;
        let port = taken.local_addr()?.port();
        let free = DevOptions { port: 0, console_port: 0, aws_port: 0, oidc_port: 0, ..DevOptions::default() };
        assert!(Ports::take(&free).await.is_ok());
        for (options, option) in [
            (DevOptions { port, console_port: 0, aws_port: 0, oidc_port: 0, ..DevOptions::default() }, "--port"),
            (
                DevOptions { port: 0, console_port: 0, aws_port: port, oidc_port: 0, ..DevOptions::default() },
                "--aws-port",
            ),
        ] {
            let refusal = Ports::take(&options).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(refusal.contains(&format!("port {port} of")), "{refusal}");
            assert!(refusal.contains(&format!("with {option}: ")), "{refusal}");
        }
        Ok(())
    }
}
