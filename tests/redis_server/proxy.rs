//! A wire between the nodes of a test and their server, which can be cut, held up, and led to another server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Wire {
    target: AtomicU16,
    /// How many bytes still go to the server before everything is cut.
    left: AtomicU64,
    /// How long each piece is held up, in milliseconds.
    delay: AtomicU64,
    stop: AtomicBool,
    /// Which connections have gone mute: those before this one.
    mute_before: AtomicU64,
    /// How many connections there have been.
    count: AtomicU64,
    /// How many threads carry something.
    carriers: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

pub struct Proxy {
    pub port: u16,
    wire: Arc<Wire>,
}

impl Proxy {
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Arc::new(Wire::default());
        wire.target.store(target, Ordering::SeqCst);
        wire.left.store(u64::MAX, Ordering::SeqCst);
        let of_listener = Arc::clone(&wire);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if of_listener.stop.load(Ordering::SeqCst) {
                    return;
                }
                let target = of_listener.target.load(Ordering::SeqCst);
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", target))) else { continue };
                // As proxies do: it holds back nothing that is less than a packet.
                [&client, &server].into_iter().for_each(|stream| stream.set_nodelay(true).unwrap());
                let number = of_listener.count.fetch_add(1, Ordering::SeqCst);
                let mut open = of_listener.open.lock().unwrap();
                for (from, to, counts) in [(&client, &server, true), (&server, &client, false)] {
                    let (from, to, wire) =
                        (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(&of_listener));
                    wire.carriers.fetch_add(1, Ordering::SeqCst);
                    std::thread::spawn(move || wire.carry(from, to, counts, number));
                }
                open.extend([client, server]);
            }
        });
        Self { port, wire }
    }

    /// From now on, connections lead elsewhere; those that are open are cut.
    pub fn lead_to(&self, target: u16) {
        self.lead_next_to(target);
        self.cut();
    }

    /// From now on, connections lead elsewhere; those that are open stay.
    pub fn lead_next_to(&self, target: u16) {
        self.wire.target.store(target, Ordering::SeqCst);
    }

    pub fn cut(&self) {
        self.wire.left.store(u64::MAX, Ordering::SeqCst);
        self.wire.open.lock().unwrap().drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }

    /// From now on nothing comes through on those that are open, and nobody is told; new ones work.
    pub fn go_mute(&self) {
        self.wire.mute_before.store(self.wire.count.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Cuts when so many bytes more have gone to the server.
    pub fn cut_after(&self, bytes: u64) {
        self.wire.left.store(bytes, Ordering::SeqCst);
    }

    /// Whether every connection has ended, and its threads with it.
    pub fn is_idle(&self) -> bool {
        self.wire.carriers.load(Ordering::SeqCst) == 0
    }

    pub fn delay(&self, by: Duration) {
        self.wire.delay.store(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Wire {
    fn carry(&self, mut from: TcpStream, mut to: TcpStream, counts: bool, number: u64) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if number < self.mute_before.load(Ordering::SeqCst) {
                continue;
            }
            std::thread::sleep(Duration::from_millis(self.delay.load(Ordering::SeqCst)));
            let mut pass = count;
            if counts {
                let left = self.left.load(Ordering::SeqCst);
                if left != u64::MAX {
                    pass = count.min(left as usize);
                    // Once: the next connection is whole.
                    let rest = if pass < count { u64::MAX } else { left - pass as u64 };
                    self.left.store(rest, Ordering::SeqCst);
                }
            }
            if to.write_all(&buffer[..pass]).is_err() || pass < count {
                break;
            }
        }
        let _cut = from.shutdown(Shutdown::Both);
        let _cut = to.shutdown(Shutdown::Both);
        drop((from, to));
        self.carriers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.wire.stop.store(true, Ordering::SeqCst);
        self.cut();
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
    }
}
