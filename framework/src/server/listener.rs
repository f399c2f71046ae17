//! An address of the settings, and the socket that is bound to it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use crate::{Error, ErrorKind, Result, config::Settings};

/// How many connections wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 1024;

/// Where to listen, as a setting says it.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    key: &'static str,
    text: String,
    /// Where it was set, for people.
    origin: String,
    /// Whether anybody set it.
    pub(crate) is_set: bool,
}

impl Address {
    /// `host:port`, or as Nameko has it the port alone, which is all interfaces.
    pub(crate) fn read(settings: &Settings, key: &'static str, default: SocketAddr) -> Result<Self> {
        let set = settings.get::<String>(key)?;
        let origin = settings.origin(key).unwrap_or_else(|| "the default".to_owned());
        let is_set = set.is_some();
        let text = match set {
            None => default.to_string(),
            Some(text) => spelt_out(text.trim()).ok_or_else(|| {
                let example = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), default.port());
                settings.refuse(
                    key,
                    format!("`{text}` is no address: write `{default}`, or `{example}` for all interfaces"),
                )
            })?,
        };
        Ok(Self { key, text, origin, is_set })
    }

    /// Takes the address for this program. Nobody can connect before [`Bound::listen`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an address that is taken or not this machine's.
    pub(crate) async fn bind(&self) -> Result<Bound> {
        let found = lookup_host(&self.text).await.map_err(|error| self.refused(&error))?;
        let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in found {
            match bind(address) {
                Ok(socket) => return Ok(Bound { socket, address: self.clone() }),
                Err(error) => refused = error,
            }
        }
        Err(self.refused(&refused))
    }

    fn refused(&self, error: &io::Error) -> Error {
        let Self { key, text, origin, .. } = self;
        let what = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "another program, or another instance of this one, listens there: stop it, or set `{key}` to another port \
                 (0 takes any that is free)"
            ),
            io::ErrorKind::PermissionDenied => format!(
                "this user may not listen there: set `{key}` to a port from 1024 up, or give the program the right to the port"
            ),
            io::ErrorKind::AddrNotAvailable => format!(
                "this machine has no such address: set `{key}` to one that it has, or to `0.0.0.0:…` for all of them"
            ),
            _ => format!("{error}: set `{key}` to an address of this machine"),
        };
        Error::new(ErrorKind::Config, format!("cannot listen on `{text}` (`{key}` is from {origin}): {what}"))
    }
}

/// A socket with an address and no listener yet.
#[derive(Debug)]
pub(crate) struct Bound {
    socket: TcpSocket,
    address: Address,
}

impl Bound {
    /// Lets others connect.
    ///
    /// # Errors
    ///
    /// As [`Address::bind`]: two programs can have bound one address, and the first to listen has it.
    pub(crate) fn listen(self) -> Result<TcpListener> {
        self.socket.listen(BACKLOG).map_err(|error| self.address.refused(&error))
    }
}

/// Listens on the first of these ports that is free, on this machine's own interface. `None`: all are taken.
pub(crate) fn listen_first(ports: RangeInclusive<u16>) -> Option<TcpListener> {
    ports.into_iter().find_map(|port| bind((Ipv4Addr::LOCALHOST, port).into()).ok()?.listen(BACKLOG).ok())
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Else an address stays taken for a minute after its program has ended. On Windows the option means something else.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// With the host that Nameko means where there is none. `None`: no address.
fn spelt_out(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    port.parse::<u16>().ok()?;
    match host {
        "" | "*" => Some(format!("{}:{port}", Ipv4Addr::UNSPECIFIED)),
        host if host.starts_with('[') => text.parse::<SocketAddr>().ok().map(|address| address.to_string()),
        // An IPv6 address needs its brackets, or nobody knows where its port begins.
        host if host.contains([':', '/', ' ', '@']) => None,
        _ => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_nameko_and_as_everybody_writes_them() {
        let read = |text| spelt_out(text).unwrap_or_default();
        assert_eq!(read("127.0.0.1:80"), "127.0.0.1:80");
        assert_eq!(read("localhost:0"), "localhost:0");
        assert_eq!(read("[::1]:8000"), "[::1]:8000");
        assert_eq!(read("8000"), "0.0.0.0:8000");
        assert_eq!(read(":8000"), "0.0.0.0:8000");
        for wrong in ["", "localhost", "::1:8000", "http://localhost:8000", "localhost:99999", "[::1:80"] {
            assert_eq!(spelt_out(wrong), None, "{wrong}");
        }
    }
}
