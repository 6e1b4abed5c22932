//! The bytes to and from a server: commands and answers as the crate writes and reads them, over a socket that has a deadline.
//!
//! The crate's own connection has a limit for each read, so that a peer that sends a byte a second holds it for ever.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use redis::{Cmd, ConnectionAddr, ConnectionInfo, ConnectionLike, ErrorKind, Parser, RedisError, RedisResult, Value};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// When the system asks whether a peer that says nothing is still there, how often, and how many times in vain.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);

/// How slow an answer may come that is larger than what an answer mostly is, in bytes a second.
const SLOWEST: u64 = 64 * 1024;

/// A connection to a server, at whose end each call has to be.
pub(super) struct Wire {
    stream: Stream,
    parser: Parser,
    db: i64,
    /// False from the first fault on: what comes then belongs to no question of ours.
    is_open: bool,
}

enum Stream {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket that nobody waits for beyond a time.
struct Timed {
    socket: TcpStream,
    until: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Timed {
    /// Whoever goes on at a fair pace has the time that it takes.
    fn give_time_for(&mut self, count: usize) {
        self.until += Duration::from_micros(count as u64 * 1_000_000 / SLOWEST);
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        let count = self.socket.read(buffer)?;
        self.give_time_for(count);
        Ok(count)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        let count = self.socket.write(bytes)?;
        self.give_time_for(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Stream {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream: &mut dyn Write = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &mut **stream,
        };
        stream.write_all(bytes)?;
        stream.flush()
    }
}

impl Wire {
    /// Connects, and logs in, within so long.
    pub(super) fn connect(info: &ConnectionInfo, timeout: Duration) -> RedisResult<Self> {
        let until = Instant::now() + timeout;
        let (host, port, is_tls) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (host, *port, false),
            ConnectionAddr::TcpTls { host, port, .. } => (host, *port, true),
            ConnectionAddr::Unix(_) | _ => {
                return Err((ErrorKind::InvalidClientConfig, "neither a host nor a port is named").into());
            }
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let timed = Timed { socket: connect_to_any(host, port, until)?, until };
        let stream = match is_tls {
            false => Stream::Plain(timed),
            true => Stream::Tls(Box::new(StreamOwned::new(tls(host)?, timed))),
        };
        let settings = info.redis_settings();
        let mut wire = Self { stream, parser: Parser::new(), db: settings.db(), is_open: true };
        if let Some(password) = settings.password() {
            let mut command = redis::cmd("AUTH");
            settings.username().into_iter().for_each(|user| {
                command.arg(user);
            });
            command.arg(password).exec(&mut wire).map_err(without_details)?;
        }
        if wire.db != 0 {
            redis::cmd("SELECT").arg(wire.db).exec(&mut wire)?;
        }
        Ok(wire)
    }

    /// Until when what is asked from now on has to be answered.
    pub(super) fn set_deadline(&mut self, until: Instant) {
        let timed = match &mut self.stream {
            Stream::Plain(timed) => timed,
            Stream::Tls(stream) => &mut stream.sock,
        };
        timed.until = until;
    }

    fn send(&mut self, bytes: &[u8]) -> RedisResult<()> {
        let sent = self.stream.send(bytes);
        self.is_open &= sent.is_ok();
        Ok(sent?)
    }

    fn receive(&mut self) -> RedisResult<Value> {
        let received = self.parser.parse_value(&mut self.stream);
        self.is_open &= received.is_ok();
        received
    }
}

/// What was refused may be repeated in the details of the refusal, and that has a password in it.
fn without_details(error: RedisError) -> RedisError {
    match error.code() {
        Some("WRONGPASS" | "NOAUTH" | "NOPERM") | None => error,
        Some(_) => (ErrorKind::AuthenticationFailed, "the server does not take this user and password").into(),
    }
}

fn connect_to_any(host: &str, port: u16, until: Instant) -> RedisResult<TcpStream> {
    let mut fault = None;
    for address in (host, port).to_socket_addrs()? {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                set_keepalive(&socket)?;
                return Ok(socket);
            }
            Err(error) => fault = Some(error),
        }
    }
    Err(fault.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address")).into())
}

/// Lets the system find out that a peer is gone which nothing is asked of, or which takes nothing.
fn set_keepalive(socket: &TcpStream) -> io::Result<()> {
    let (time, interval, retries) = KEEPALIVE;
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval);
    #[cfg(not(target_os = "openbsd"))]
    let keepalive = keepalive.with_retries(retries);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(time + interval * retries))?;
    Ok(())
}

/// A session in which the server has to show a certificate that the system trusts.
fn tls(host: &str) -> RedisResult<ClientConnection> {
    let mut roots = RootCertStore::empty();
    let mut found = rustls_native_certs::load_native_certs();
    if let Some(error) = found.errors.pop() {
        return Err(io::Error::other(error).into());
    }
    for certificate in found.certs {
        roots.add(certificate).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?)
}

impl ConnectionLike for Wire {
    fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
        self.send(command)?;
        self.receive()
    }

    fn req_command(&mut self, command: &Cmd) -> RedisResult<Value> {
        self.req_packed_command(&command.get_packed_command())
    }

    fn req_packed_commands(&mut self, commands: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        self.send(commands)?;
        let mut refused = None;
        for _ in 0..offset {
            // What is not queued is refused at once, and the answers of the rest are to be read all the same.
            if let Err(error) = self.receive()?.extract_error() {
                refused.get_or_insert(error);
            }
        }
        let answers = (0..count).map(|_| self.receive()).collect::<RedisResult<Vec<_>>>()?;
        refused.map_or(Ok(answers), Err)
    }

    fn get_db(&self) -> i64 {
        self.db
    }

    fn check_connection(&mut self) -> bool {
        redis::cmd("PING").exec(self).is_ok()
    }

    fn is_open(&self) -> bool {
        self.is_open
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use redis::IntoConnectionInfo as _;

    use super::*;

    /// A peer that takes a connection, and sends what it is given again and again.
    fn peer(sends: &'static [u8]) -> (ConnectionInfo, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let info = format!("redis://{}", listener.local_addr().unwrap()).into_connection_info().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            while client.write_all(sends).is_ok() {
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        (info, thread)
    }

    #[test]
    fn a_peer_that_sends_a_little_now_and_then_holds_nobody_beyond_the_deadline() {
        let (info, peer) = peer(b"+");
        let mut wire = Wire::connect(&info, Duration::from_secs(9)).unwrap();
        wire.set_deadline(Instant::now() + Duration::from_millis(60));
        let error = redis::cmd("PING").exec(&mut wire).unwrap_err();
        assert!(error.is_timeout() || error.is_io_error(), "{error}");
        assert!(!wire.is_open());
        drop(wire);
        peer.join().unwrap();
    }

    #[test]
    fn a_long_answer_that_comes_at_a_fair_pace_may_take_longer_than_a_short_one() {
        const PIECE: [u8; 4096] = [b'x'; 4096];
        let mut timed_out = Timed { socket: socket_of(&PIECE), until: Instant::now() + Duration::from_millis(60) };
        let (mut buffer, started, mut read) = ([0; 4096], Instant::now(), 0);
        while started.elapsed() < Duration::from_millis(150) {
            read += timed_out.read(&mut buffer).unwrap();
        }
        assert!(read > 0);
    }

    fn socket_of(sends: &'static [u8]) -> TcpStream {
        let (info, _peer) = peer(sends);
        let ConnectionAddr::Tcp(host, port) = info.addr() else { panic!("{info:?}") };
        TcpStream::connect((host.as_str(), *port)).unwrap()
    }
}
