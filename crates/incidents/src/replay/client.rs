//! Sends a request as it was captured, octet by octet.
//!
//! Written out by hand where an HTTP library would help: a library refuses some targets, and brings headers into an order
//! of its own. One connection serves one request.

use std::{sync::Arc, time::Duration};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use url::Url;

/// Longer than any server of ours takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than any answer of ours is long.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;
const MAX_HEADERS: usize = 128;

/// Why there is no answer: a sentence.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("`{0}` is no address of a server: give one such as https://api.example.com or http://localhost:8000")]
    Address(String),
    #[error("{origin} cannot be reached: {why}")]
    Unreachable { origin: String, why: String },
    #[error("what {origin} answered is no HTTP: {why}")]
    Garbled { origin: String, why: String },
}

/// An answer, with its body as it was before it was compressed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A server to send requests to.
#[derive(Clone)]
pub struct Client {
    /// `https://api.example.com`.
    origin: String,
    /// What stands before each target: empty, or `/prefix`.
    prefix: String,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

impl Client {
    /// A client of the server at this address; nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn new(address: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address(address.to_owned());
        let url = Url::parse(address).map_err(|_| wrong())?;
        let is_secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(wrong()),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(wrong)?;
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            prefix: url.path().trim_end_matches('/').to_owned(),
            host,
            port,
            tls: is_secure.then(tls).transpose().map_err(|why| unreachable(address, why))?,
        })
    }

    /// Where requests go.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether requests stay on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let address = self.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Sends a request. `Host`, `Connection` and `Content-Length` are this client's; all else goes out as it is given.
    ///
    /// # Errors
    /// When there is no connection, or no HTTP in what comes back.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Answer, ClientError> {
        let authority = self.origin.split_once("://").map_or(self.origin.as_str(), |(_, authority)| authority);
        let mut request = format!("{method} {}{target} HTTP/1.1\r\nHost: {authority}\r\n", self.prefix).into_bytes();
        for (name, value) in headers {
            request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !body.is_empty() || ["POST", "PUT", "PATCH"].contains(&method) {
            request.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        request.extend_from_slice(b"Connection: close\r\n\r\n");
        request.extend_from_slice(body);
        let exchange = async {
            let stream = TcpStream::connect((self.host.trim_matches(['[', ']']), self.port)).await?;
            match &self.tls {
                None => transfer(stream, &request).await,
                Some(tls) => {
                    let name = ServerName::try_from(self.host.trim_matches(['[', ']']).to_owned())
                        .map_err(std::io::Error::other)?;
                    transfer(tls.connect(name, stream).await?, &request).await
                }
            }
        };
        let answer = timeout(PATIENCE, exchange)
            .await
            .map_err(|_| unreachable(&self.origin, format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(|error| unreachable(&self.origin, error.to_string()))?;
        let garbled = |why: String| ClientError::Garbled { origin: self.origin.clone(), why };
        let answer = parse(&answer, method == "HEAD").map_err(garbled)?;
        decoded(answer).await.map_err(|error| garbled(error.to_string()))
    }
}

fn unreachable(origin: &str, why: String) -> ClientError {
    ClientError::Unreachable { origin: origin.to_owned(), why }
}

/// Trusts whom this machine trusts.
fn tls() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Writes all of the request while it reads all of the answer: a server may refuse a body before it has read it.
async fn transfer<S: AsyncRead + AsyncWrite>(stream: S, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let (read, mut write) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let mut read = read.take(MAX_ANSWER);
    let writing = async {
        let written = write.write_all(request).await;
        match written {
            Ok(()) => write.flush().await,
            Err(error) => Err(error),
        }
    };
    let (written, received) = tokio::join!(writing, read.read_to_end(&mut answer));
    // What has been answered counts, whatever became of the connection afterwards.
    if answer.is_empty() {
        written?;
        received?;
        return Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            "the connection was closed without an answer",
        ));
    }
    Ok(answer)
}

fn parse(mut bytes: &[u8], is_head: bool) -> Result<Answer, String> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).map_err(|error| error.to_string())? else {
            return Err("its head is cut off".to_owned());
        };
        bytes = &bytes[length..];
        let status = response.code.unwrap_or_default();
        // 100 Continue and the like come before the answer.
        if (100..200).contains(&status) {
            continue;
        }
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = response.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        if !is_head && ![204, 304].contains(&status) {
            let is_chunked =
                answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
            let length = answer.header("content-length").and_then(|length| length.trim().parse::<usize>().ok());
            answer.body = match length {
                _ if is_chunked => dechunked(bytes)?,
                Some(length) => bytes.get(..length).ok_or("its body is cut off")?.to_vec(),
                None => bytes.to_vec(),
            };
        }
        return Ok(answer);
    }
}

fn dechunked(mut bytes: &[u8]) -> Result<Vec<u8>, String> {
    const CUT_OFF: &str = "its body is cut off";
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((start, length)) =
            httparse::parse_chunk_size(bytes).map_err(|_| "it has a chunk without a length")?
        else {
            return Err(CUT_OFF.to_owned());
        };
        let length = usize::try_from(length).map_err(|_| CUT_OFF)?;
        if length == 0 {
            return Ok(body);
        }
        let end = start.checked_add(length).ok_or(CUT_OFF)?;
        body.extend_from_slice(bytes.get(start..end).ok_or(CUT_OFF)?);
        bytes = bytes.get(end + 2..).ok_or(CUT_OFF)?;
    }
}

/// The answer with its body as it was before it was compressed.
async fn decoded(mut answer: Answer) -> std::io::Result<Answer> {
    let coding = answer.header("content-encoding").unwrap_or_default().to_ascii_lowercase();
    let mut body = Vec::new();
    let compressed = answer.body.as_slice();
    match coding.as_str() {
        _ if compressed.is_empty() => return Ok(answer),
        "gzip" => GzipDecoder::new(compressed).read_to_end(&mut body).await?,
        "br" => BrotliDecoder::new(compressed).read_to_end(&mut body).await?,
        "zstd" => ZstdDecoder::new(compressed).read_to_end(&mut body).await?,
        _ => return Ok(answer),
    };
    answer.body = body;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &[u8]) -> Result<Answer, String> {
        parse(text, false)
    }

    #[test]
    fn an_answer_is_read_whatever_says_how_long_it_is() {
        let fixed = body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        let chunked =
            body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n").unwrap();
        let open = body(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}").unwrap();
        assert!([fixed, chunked, open].iter().all(|answer| answer.status == 200 && answer.body == b"{}"));
        let head = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true).unwrap();
        assert_eq!((head.status, head.body.len()), (200, 0));
    }

    #[test]
    fn half_an_answer_is_none() {
        for text in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"[..],
            b"HTTP/1.1 200 OK\r\nContent-Le",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            b"SSH-2.0-OpenSSH\r\n",
        ] {
            assert!(body(text).is_err(), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn an_address_is_an_origin_with_at_most_a_path() {
        for address in ["", "localhost:8000", "ftp://x", "http://", "http://x/?a", "http://a@x/", "http://x/#f"] {
            assert!(Client::new(address).is_err(), "{address}");
        }
        let client = Client::new("http://[::1]:81/api/").unwrap();
        assert_eq!((client.origin(), client.prefix.as_str(), client.is_local()), ("http://[::1]:81", "/api", true));
        assert!(Client::new("http://localhost:8000").unwrap().is_local());
        assert!(!Client::new("http://api.example.com").unwrap().is_local());
    }
}
