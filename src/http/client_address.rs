//! The address of the client, directly or through trusted proxies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contract::negotiation::split_unquoted;
use ipnet::IpNet;
use poem::http::HeaderMap;

/// Returns the address of the client. The forwarding header is read from right to left, as long as the proxy that added an
/// entry is trusted: a client can prepend any entries.
///
/// `X-Forwarded-For` takes precedence over `Forwarded` (RFC 7239). Most proxies set only the former and pass the latter on
/// unchanged, so that a client could choose its address with it.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    if trusted.is_empty() {
        return client;
    }
    let name = if headers.contains_key("x-forwarded-for") { "x-forwarded-for" } else { "forwarded" };
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = values.flat_map(|value| split_unquoted(value, ',')).map(str::trim).collect();
    for hop in hops.iter().rev() {
        if !trusted.iter().any(|network| network.contains(&client)) {
            break;
        }
        let node = if name == "forwarded" { forwarded_for(hop) } else { Some(*hop) };
        // An entry that is not an address ends the chain. The last known address is that of the proxy that forwarded it.
        let Some(address) = node.and_then(parse_node) else { break };
        client = address.to_canonical();
    }
    client
}

/// Returns the value of `for` in an element of `Forwarded`: `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut pairs = split_unquoted(element, ';').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, node)| node)
}

/// Parses an entry of a forwarding header. Some proxies add the port (`203.0.113.7:43121`, `[2001:db8::1]:443`) or quotes;
/// with the port left in, each connection would be a separate client and all clients of a proxy would share one limit.
fn parse_node(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim().trim_matches('"');
    if let Ok(address) = entry.parse() {
        return Some(address);
    }
    if let Some((address, port)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
        return address.parse::<Ipv6Addr>().ok().filter(|_| is_port).map(IpAddr::V6);
    }
    let (address, port) = entry.split_once(':')?;
    port.parse::<u16>().ok()?;
    address.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_are_read_from_trusted_proxies_only() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "::1/128"].iter().map(|network| network.parse().unwrap()).collect();
        for (peer, forwarded, client) in [
            ("192.0.2.1", "", "192.0.2.1"),
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("::1", "2001:db8::7", "2001:db8::7"),
            // The client sent the first entry; the proxy added the second.
            ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("10.0.0.1", "198.51.100.7, nonsense", "10.0.0.1"),
            ("10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "203.0.113.7:43121", "203.0.113.7"),
            ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
            ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
            ("10.0.0.1", "\"203.0.113.7\"", "203.0.113.7"),
            ("10.0.0.1", "203.0.113.7, 10.0.0.2:9000", "203.0.113.7"),
            ("10.0.0.1", "203.0.113.7:port", "10.0.0.1"),
            ("10.0.0.1", "[2001:db8::1]x", "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            let address = client_address(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(address.to_string(), client, "{peer} {forwarded}");
        }
    }

    #[test]
    fn forwarded_header_is_read_unless_there_is_x_forwarded_for() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap()).into();
        for (peer, headers, client) in [
            ("10.0.0.1", &[("forwarded", "for=198.51.100.7")][..], "198.51.100.7"),
            ("10.0.0.1", &[("forwarded", "for=\"[2001:db8::1]:4711\";proto=https")], "2001:db8::1"),
            ("10.0.0.1", &[("forwarded", "proto=https; For = \"198.51.100.7:43121\" ;by=10.0.0.1")], "198.51.100.7"),
            ("10.0.0.1", &[("forwarded", "for=203.0.113.9, for=198.51.100.7;host=\"a,b;for=x\"")], "198.51.100.7"),
            ("10.0.0.1", &[("forwarded", "for=198.51.100.7, for=\"[2001:db8:1::2]\"")], "198.51.100.7"),
            ("10.0.0.1", &[("forwarded", "for=203.0.113.9"), ("forwarded", "for=198.51.100.7")], "198.51.100.7"),
            // Obfuscated and missing nodes end the chain.
            ("10.0.0.1", &[("forwarded", "for=198.51.100.7, for=unknown")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "for=198.51.100.7, for=_hidden, for=10.0.0.2")], "10.0.0.2"),
            ("10.0.0.1", &[("forwarded", "for=198.51.100.7, proto=https")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "198.51.100.7")], "10.0.0.1"),
            // Not from a trusted proxy.
            ("192.0.2.1", &[("forwarded", "for=198.51.100.7")], "192.0.2.1"),
            // The client sent `Forwarded`, and the proxy added `X-Forwarded-For`.
            ("10.0.0.1", &[("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "198.51.100.7")], "198.51.100.7"),
            ("10.0.0.1", &[("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "")], "10.0.0.1"),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            assert_eq!(client_address(peer.parse().unwrap(), &map, &trusted).to_string(), client, "{peer} {headers:?}");
        }
    }
}
