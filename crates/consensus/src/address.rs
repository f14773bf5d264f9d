//! Where a member can be reached.

use commonware_p2p::{Address, Ingress};
use commonware_utils::Hostname;
use std::net::{Ipv4Addr, SocketAddr};

/// `ip:port` or `name:port`.
pub(crate) fn address(text: &str) -> Option<Address> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(Address::Symmetric(socket));
    }
    let (host, port) = text.rsplit_once(':')?;
    let ingress = Ingress::Dns { host: Hostname::new(host).ok()?, port: port.parse().ok()? };
    // Where the member connects from does not matter: addresses are not checked.
    let egress = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    Some(Address::Asymmetric { ingress, egress })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_numbers_or_names_with_a_port() {
        for good in ["127.0.0.1:7000", "[::1]:7000", "node.example.org:7000"] {
            assert!(address(good).is_some(), "{good}");
        }
        for bad in ["", "127.0.0.1", "node.example.org", "node:port", ":7000"] {
            assert!(address(bad).is_none(), "{bad}");
        }
    }
}
