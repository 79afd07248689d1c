//! The ports, all taken before anything is built: a taken one is better said at once than in two minutes.

use std::{io, net::Ipv4Addr};

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::arguments::DevOptions;

/// Everything listens on loopback alone.
pub(super) struct Ports {
    pub(super) console: TcpListener,
    pub(super) aws: TcpListener,
    pub(super) oidc: TcpListener,
    functions: TcpListener,
}

impl Ports {
    pub(super) async fn take(options: &DevOptions) -> anyhow::Result<Self> {
        Ok(Self {
            functions: take(options.port, "--port").await?,
            console: take(options.console_port, "--console-port").await?,
            aws: take(options.aws_port, "--aws-port").await?,
            oidc: take(options.oidc_port, "--oidc-port").await?,
        })
    }

    /// The port that cargo-lambda will listen on by itself: held until [`Ports::split`].
    pub(super) fn functions(&self) -> io::Result<u16> {
        Ok(self.functions.local_addr()?.port())
    }

    /// The listeners of console, AWS endpoint and provider; that of the functions is given back.
    pub(super) fn split(self) -> (TcpListener, TcpListener, TcpListener) {
        (self.console, self.aws, self.oidc)
    }
}

async fn take(port: u16, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| {
        format!("port {port} of 127.0.0.1 cannot be used; end what uses it, or choose another with {option}")
    })
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
