//! The PROXY protocol: a header before the first byte of a connection, in which a proxy that forwards TCP names its client.
//!
//! Exactly the bytes of the header are read, so that TLS or HTTP continues after it on the same socket.

use std::{io, net::SocketAddr};

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The beginning of a version 2 header.
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Length of the fixed part of a version 2 header. Its last two bytes are the length of the rest.
const V2_FIXED: usize = 16;
/// Maximum length of a version 2 header. Proxies add a certificate of the client at most.
const V2_MAX: usize = 16 * 1024;
/// The beginning of a version 1 header.
const V1_START: &[u8] = b"PROXY ";
/// Length of the shortest header of both versions: `PROXY UNKNOWN` and the end of the line.
const MIN: usize = 15;
/// Maximum length of a version 1 header.
const V1_MAX: usize = 107;

/// The reason for closing a connection without a valid header.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyHeaderError {
    /// The connection was closed without sending anything, as health checks do that only connect.
    #[error("connection closed")]
    Closed,
    #[error("header is missing")]
    Missing,
    #[error("header is incomplete")]
    Incomplete,
    #[error("header is malformed")]
    Malformed,
    #[error("header is too long")]
    TooLong,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the header of a connection. Returns the address of the client; `None` if the proxy itself is the client, for example for a
/// health check.
///
/// # Errors
/// [`ProxyHeaderError`]. The caller closes the connection: its bytes cannot be trusted.
pub(super) async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let mut header = Vec::with_capacity(V1_MAX);
    loop {
        let missing = missing_bytes(&header)?;
        if missing == 0 {
            break;
        }
        let read = (&mut *socket).take(missing as u64).read_buf(&mut header).await?;
        if read == 0 {
            return Err(if header.is_empty() { ProxyHeaderError::Closed } else { ProxyHeaderError::Incomplete });
        }
    }
    let config = ParseConfig { include_tlvs: false, allow_v1: true, allow_v2: true };
    match ProxyHeader::parse(&header, config) {
        Ok((parsed, length)) if length == header.len() => Ok(parsed.proxied_address().map(|address| address.source)),
        _ => Err(ProxyHeaderError::Malformed),
    }
}

/// Returns how many bytes of the header can be read without reading beyond its end; 0 if it is complete.
fn missing_bytes(header: &[u8]) -> Result<usize, ProxyHeaderError> {
    let begins_with = |start: &[u8]| header.iter().zip(start).all(|(byte, expected)| byte == expected);
    let (is_v1, is_v2) = (begins_with(V1_START), begins_with(V2_SIGNATURE));
    match header.len() {
        _ if !is_v1 && !is_v2 => Err(ProxyHeaderError::Missing),
        length if length < MIN => Ok(MIN - length),
        length if is_v2 => match header.get(V2_FIXED - 2..V2_FIXED) {
            None => Ok(V2_FIXED - length),
            Some(rest) => {
                let total = V2_FIXED + rest.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
                if total > V2_MAX { Err(ProxyHeaderError::TooLong) } else { Ok(total - length) }
            }
        },
        // The end of a version 1 header is not known before it was read.
        _ if header.contains(&b'\n') => Ok(0),
        length if length >= V1_MAX => Err(ProxyHeaderError::TooLong),
        _ => Ok(1),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Returns a version 2 header.
    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2_SIGNATURE, &[command, family], &length, rest].concat()
    }

    /// Returns addresses and ports of a version 2 header.
    fn addresses(source: &str, destination: &str) -> Vec<u8> {
        let octets = |address: SocketAddr| match address.ip() {
            std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
            std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let (source, destination): (SocketAddr, SocketAddr) = (source.parse().unwrap(), destination.parse().unwrap());
        let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
        [octets(source), octets(destination), ports].concat()
    }

    fn ipv4() -> Vec<u8> {
        addresses("203.0.113.7:43121", "10.0.0.1:443")
    }

    /// Reads a header that arrives in parts of `size` bytes. Returns the result and the bytes after the header.
    async fn read_in_parts(bytes: &[u8], size: usize) -> (String, Vec<u8>) {
        let (mut client, mut server) = tokio::io::duplex(size);
        let sending = async {
            let _ = client.write_all(bytes).await;
            drop(client);
        };
        let reading = async {
            let mut result = String::new();
            match read(&mut server).await {
                Ok(Some(address)) => write!(result, "{address}").unwrap(),
                Ok(None) => result.push_str("local"),
                Err(error) => result = error.to_string(),
            }
            let mut rest = Vec::new();
            server.read_to_end(&mut rest).await.unwrap();
            (result, rest)
        };
        tokio::join!(sending, reading).1
    }

    #[tokio::test]
    async fn header_names_the_client() {
        let unknown_tlvs = [ipv4(), vec![0xEE, 0, 3, 1, 2, 3, 0xE0, 0, 0, 0x04, 0, 1, 0]].concat();
        let ipv6 = addresses("[2001:db8::7]:43121", "[2001:db8::1]:443");
        let longest = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
        for (header, expected) in [
            (b"PROXY TCP4 203.0.113.7 10.0.0.1 43121 443\r\n".to_vec(), "203.0.113.7:43121"),
            (b"PROXY TCP6 2001:db8::7 2001:db8::1 43121 443\r\n".to_vec(), "[2001:db8::7]:43121"),
            (longest.as_bytes().to_vec(), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
            (b"PROXY UNKNOWN\r\n".to_vec(), "local"),
            (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(), "local"),
            (v2(0x21, 0x11, &ipv4()), "203.0.113.7:43121"),
            (v2(0x21, 0x21, &ipv6), "[2001:db8::7]:43121"),
            (v2(0x21, 0x11, &unknown_tlvs), "203.0.113.7:43121"),
            // LOCAL, with and without addresses, which are ignored.
            (v2(0x20, 0x00, &[]), "local"),
            (v2(0x20, 0x11, &ipv4()), "local"),
            (v2(0x20, 0x00, &[0x04, 0, 1, 0]), "local"),
            // Clients without an IP address: an unspecified family, and a Unix socket.
            (v2(0x21, 0x00, &[]), "local"),
            (v2(0x21, 0x31, &[0; 216]), "local"),
        ] {
            let sent = [header.as_slice(), b"GET / HTTP/1.1\r\n"].concat();
            for size in [1, 7, 15, 16, 64, 8192] {
                let (result, rest) = read_in_parts(&sent, size).await;
                assert_eq!(result, expected, "{header:?} in parts of {size}");
                assert_eq!(rest, b"GET / HTTP/1.1\r\n", "{header:?} in parts of {size}");
            }
        }
    }

    #[tokio::test]
    async fn invalid_header_is_rejected() {
        let too_long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200], b"\r\n"].concat();
        for (bytes, expected) in [
            (b"".to_vec(), "connection closed"),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "header is missing"),
            (b"\x16\x03\x01\x02\x00\x01".to_vec(), "header is missing"),
            (b"PROXYTCP4 203.0.113.7 10.0.0.1 1 2\r\n".to_vec(), "header is missing"),
            (b"proxy TCP4 203.0.113.7 10.0.0.1 1 2\r\n".to_vec(), "header is missing"),
            (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), "header is missing"),
            (b"PROXY TCP4 203.0.".to_vec(), "header is incomplete"),
            (b"PRO".to_vec(), "header is incomplete"),
            (V2_SIGNATURE.to_vec(), "header is incomplete"),
            (v2(0x21, 0x11, &ipv4())[..20].to_vec(), "header is incomplete"),
            (b"PROXY TCP4 203.0.113.7 10.0.0.1 43121 443\n".to_vec(), "header is malformed"),
            (b"PROXY TCP4 203.0.113.7 10.0.0.1 43121 65536\r\n".to_vec(), "header is malformed"),
            (b"PROXY TCP4 2001:db8::7 2001:db8::1 43121 443\r\n".to_vec(), "header is malformed"),
            (b"PROXY TCP4 203.0.113.7\r\n\r\n 10.0.0.1 1 2\r\n".to_vec(), "header is malformed"),
            (b"PROXY UDP4 203.0.113.7 10.0.0.1 43121 443\r\n".to_vec(), "header is malformed"),
            (b"PROXY TCP4\r\n\r\n\r\n".to_vec(), "header is malformed"),
            (v2(0x11, 0x11, &ipv4()), "header is malformed"),
            (v2(0x22, 0x11, &ipv4()), "header is malformed"),
            (v2(0x21, 0x41, &ipv4()), "header is malformed"),
            (v2(0x21, 0x11, &ipv4()[..8]), "header is malformed"),
            (v2(0x21, 0x21, &ipv4()), "header is malformed"),
            (too_long, "header is too long"),
            (v2(0x21, 0x11, &[0; 60_000]), "header is too long"),
        ] {
            for size in [1, 64, 8192] {
                let (result, _) = read_in_parts(&bytes, size).await;
                assert_eq!(result, expected, "{:?} in parts of {size}", String::from_utf8_lossy(&bytes));
            }
        }
    }
}
