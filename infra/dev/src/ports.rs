//! The ports of `cargo dev`. All are bound before anything is built, so that a port in use is reported at once and not after
//! two minutes.

use std::{io, net::Ipv4Addr};

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::loopback::Loopback;
use crate::arguments::DevOptions;

/// The listeners, all on loopback only.
pub(super) struct Ports {
    pub(super) console: TcpListener,
    pub(super) aws: TcpListener,
    pub(super) oidc: TcpListener,
    pub(super) loopback: Option<Loopback>,
    /// The port where functions are called, which the proxy forwards to cargo-lambda.
    pub(super) functions: TcpListener,
    /// The port of the support desk, which the proxy forwards to cargo-lambda as well.
    pub(super) desk: TcpListener,
    /// The port of the demo product.
    pub(super) product: TcpListener,
}

impl Ports {
    pub(super) async fn bind(options: &DevOptions) -> anyhow::Result<Self> {
        let functions = bind(options.port, "--port").await?;
        let port = number(&functions)?;
        Ok(Self {
            functions,
            loopback: Loopback::forward(port).await.with_context(|| unavailable("::1", port, "--port"))?,
            console: bind(options.console_port, "--console-port").await?,
            aws: bind(options.aws_port, "--aws-port").await?,
            oidc: bind(options.oidc_port, "--oidc-port").await?,
            desk: bind(options.desk_port, "--desk-port").await?,
            product: bind(options.product_port, "--product-port").await?,
        })
    }
}

/// Returns a free port for cargo-lambda, which binds it itself.
pub(super) async fn free() -> anyhow::Result<u16> {
    Ok(number(&bind(0, "--port").await?)?)
}

async fn bind(port: u16, option: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.with_context(|| unavailable("127.0.0.1", port, option))
}

fn unavailable(address: &str, port: u16, option: &str) -> String {
    format!("port {port} of {address} is not available; stop the program that uses it, or choose another with {option}")
}

/// Returns the port of a listener.
pub(super) fn number(listener: &TcpListener) -> io::Result<u16> {
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_for_a_port_in_use_names_the_option_that_changes_it() -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let free = || DevOptions {
            port: 0,
            console_port: 0,
            aws_port: 0,
            oidc_port: 0,
            desk_port: 0,
            product_port: 0,
            ..DevOptions::default()
        };
        assert!(Ports::bind(&free()).await.is_ok());
        for (options, option) in [
            (DevOptions { port, ..free() }, "--port"),
            (DevOptions { aws_port: port, ..free() }, "--aws-port"),
            (DevOptions { desk_port: port, ..free() }, "--desk-port"),
            (DevOptions { product_port: port, ..free() }, "--product-port"),
        ] {
            let refusal = Ports::bind(&options).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(refusal.contains(&format!("port {port} of")), "{refusal}");
            assert!(refusal.contains(&format!("with {option}: ")), "{refusal}");
        }
        Ok(())
    }
}
