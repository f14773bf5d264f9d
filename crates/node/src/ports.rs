//! Ports on this machine for members that are started beside each other: a demo, a measurement,
//! a test. Several of those may run at once.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    ops::Range,
    sync::Mutex,
};

/// Below the ports that systems give to outgoing connections: a member that is not started yet
/// would otherwise find its port taken by a neighbour that looks for it.
const PORTS: Range<u16> = 20_000..32_000;

/// A port of the loopback address that nobody listens on, and that no other process is given
/// here as long as this one lives.
pub fn claim() -> io::Result<u16> {
    // The claim is the UDP port of the same number, which the system frees with the process.
    static CLAIMS: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    let claim = |port| {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        Some((port, claim))
    };
    let (port, claim) = PORTS.into_iter().find_map(claim).ok_or(io::ErrorKind::AddrInUse)?;
    CLAIMS.lock().expect("no one panics while claiming").push(claim);
    Ok(port)
}
