//! Forwards the functions' port from the IPv6 loopback address. Many clients, among them `cargo lambda invoke`, resolve
//! `localhost` to `::1` first, but the functions' port listens on 127.0.0.1 only.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// A running forwarder, which stops when it is dropped.
#[derive(Debug)]
pub(super) struct Loopback(JoinHandle<()>);

impl Loopback {
    /// Forwards connections from `::1` to `127.0.0.1` on the same port. Returns `None` on a machine without IPv6.
    pub(super) async fn forward(port: u16) -> io::Result<Option<Self>> {
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(listener) => Ok(Some(Self(tokio::spawn(forward(listener, port))))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
            Err(_) => Ok(None),
        }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn forward(listener: TcpListener, port: u16) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((mut incoming, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let mut outgoing = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
            copy_bidirectional(&mut incoming, &mut outgoing).await
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_connection_to_one_address_reaches_the_other() -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let Some(_forwarding) = Loopback::forward(port).await? else { return Ok(()) };
        let mut client = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await?;
        client.write_all(b"ask").await?;
        let (mut server, _) = listener.accept().await?;
        let mut asked = [0; 3];
        server.read_exact(&mut asked).await?;
        server.write_all(b"answer").await?;
        drop(server);
        let mut answered = String::new();
        client.read_to_string(&mut answered).await?;
        assert_eq!((&asked, answered.as_str()), (b"ask", "answer"));
        Ok(())
    }
}
