//! An HTTP/1.1 client that sends the captured bytes unchanged.
//!
//! HTTP libraries reject some targets and reorder headers, so this client writes requests itself. It opens one connection per
//! request.

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

/// Maximum time for a request and its response.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum size of a response.
const MAX_RESPONSE_BYTES: u64 = 64 * 1024 * 1024;
const MAX_HEADERS: usize = 128;
const INCOMPLETE_BODY: &str = "the body is incomplete";

/// A request cannot be sent, or its response cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("invalid server URL `{0}`; use a URL such as https://api.example.com or http://localhost:8000")]
    InvalidUrl(String),
    #[error("cannot connect to {origin}: {reason}")]
    Unreachable { origin: String, reason: String },
    #[error("{origin} sent an invalid HTTP response: {reason}")]
    InvalidResponse { origin: String, reason: String },
}

/// A response with its decompressed body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl ReplayResponse {
    /// Returns the first header with this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A client for one server.
#[derive(Clone)]
pub struct Client {
    /// For example `https://api.example.com`.
    origin: String,
    /// Path before each target: empty, or `/prefix`.
    prefix: String,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    /// Bytes at the start of each connection.
    preface: Vec<u8>,
    /// Headers of each request.
    headers: Vec<(String, String)>,
}

impl Client {
    /// Creates a client for the server at this URL. Does not connect.
    ///
    /// # Errors
    /// [`ClientError::InvalidUrl`].
    pub fn new(url: &str) -> Result<Self, ClientError> {
        let invalid = || ClientError::InvalidUrl(url.to_owned());
        let parsed = Url::parse(url).map_err(|_| invalid())?;
        let is_secure = match parsed.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(invalid()),
        };
        let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or_else(invalid)?.to_owned();
        let port = parsed.port_or_known_default().ok_or_else(invalid)?;
        if parsed.query().is_some() || parsed.fragment().is_some() || !parsed.username().is_empty() {
            return Err(invalid());
        }
        Ok(Self {
            origin: parsed.origin().ascii_serialization(),
            prefix: parsed.path().trim_end_matches('/').to_owned(),
            host,
            port,
            tls: is_secure.then(tls).transpose().map_err(|reason| unreachable(url, reason))?,
            preface: Vec::new(),
            headers: Vec::new(),
        })
    }

    /// Sends bytes at the start of each connection, before TLS: a PROXY protocol header.
    #[must_use]
    pub fn with_preface(self, preface: Vec<u8>) -> Self {
        Self { preface, ..self }
    }

    /// Sends a header with each request.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the origin of the server.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether the server is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let address = self.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Sends a request. Adds `Host`, `Connection` and `Content-Length`, and sends everything else unchanged.
    ///
    /// # Errors
    /// [`ClientError`] if the connection fails or the response is not HTTP.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<ReplayResponse, ClientError> {
        let authority = self.origin.split_once("://").map_or(self.origin.as_str(), |(_, authority)| authority);
        let mut request = format!("{method} {}{target} HTTP/1.1\r\nHost: {authority}\r\n", self.prefix).into_bytes();
        for (name, value) in self.headers.iter().chain(headers) {
            request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !body.is_empty() || ["POST", "PUT", "PATCH"].contains(&method) {
            request.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        request.extend_from_slice(b"Connection: close\r\n\r\n");
        request.extend_from_slice(body);
        let exchange = async {
            let mut stream = TcpStream::connect((self.host.trim_matches(['[', ']']), self.port)).await?;
            stream.write_all(&self.preface).await?;
            match &self.tls {
                None => transfer(stream, &request).await,
                Some(tls) => {
                    let name = ServerName::try_from(self.host.trim_matches(['[', ']']).to_owned())
                        .map_err(std::io::Error::other)?;
                    transfer(tls.connect(name, stream).await?, &request).await
                }
            }
        };
        let bytes = timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| unreachable(&self.origin, format!("no response within {} s", TIMEOUT.as_secs())))?
            .map_err(|error| unreachable(&self.origin, error.to_string()))?;
        let invalid = |reason: String| ClientError::InvalidResponse { origin: self.origin.clone(), reason };
        let response = parse(&bytes, method == "HEAD").map_err(invalid)?;
        decompress(response).await.map_err(|error| invalid(error.to_string()))
    }
}

fn unreachable(origin: &str, reason: String) -> ClientError {
    ClientError::Unreachable { origin: origin.to_owned(), reason }
}

/// Creates a connector that trusts the root certificates of this machine.
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

/// Writes the request and reads the response concurrently: a server may reject a request before it has read the body.
async fn transfer<S: AsyncRead + AsyncWrite>(stream: S, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let (read, mut write) = tokio::io::split(stream);
    let mut response = Vec::new();
    let mut read = read.take(MAX_RESPONSE_BYTES);
    let writing = async {
        let written = write.write_all(request).await;
        match written {
            Ok(()) => write.flush().await,
            Err(error) => Err(error),
        }
    };
    let (written, received) = tokio::join!(writing, read.read_to_end(&mut response));
    // Once there is a response, later errors of the connection do not matter.
    if response.is_empty() {
        written?;
        received?;
        return Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            "the connection was closed without a response",
        ));
    }
    Ok(response)
}

fn parse(mut bytes: &[u8], is_head: bool) -> Result<ReplayResponse, String> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(bytes).map_err(|error| error.to_string())? else {
            return Err("the header section is incomplete".to_owned());
        };
        bytes = &bytes[length..];
        let status = head.code.unwrap_or_default();
        // Informational responses such as 100 Continue precede the final one.
        if (100..200).contains(&status) {
            continue;
        }
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = head.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
        let mut response = ReplayResponse { status, headers, body: Vec::new() };
        if !is_head && ![204, 304].contains(&status) {
            let is_chunked =
                response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
            let length = response.header("content-length").and_then(|length| length.trim().parse::<usize>().ok());
            response.body = match length {
                _ if is_chunked => decode_chunks(bytes)?,
                Some(length) => bytes.get(..length).ok_or(INCOMPLETE_BODY)?.to_vec(),
                None => bytes.to_vec(),
            };
        }
        return Ok(response);
    }
}

fn decode_chunks(mut bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((start, length)) =
            httparse::parse_chunk_size(bytes).map_err(|_| "a chunk has no size")?
        else {
            return Err(INCOMPLETE_BODY.to_owned());
        };
        let length = usize::try_from(length).map_err(|_| INCOMPLETE_BODY)?;
        if length == 0 {
            return Ok(body);
        }
        let end = start.checked_add(length).ok_or(INCOMPLETE_BODY)?;
        body.extend_from_slice(bytes.get(start..end).ok_or(INCOMPLETE_BODY)?);
        bytes = bytes.get(end + 2..).ok_or(INCOMPLETE_BODY)?;
    }
}

/// Decompresses the body.
async fn decompress(mut response: ReplayResponse) -> std::io::Result<ReplayResponse> {
    let coding = response.header("content-encoding").unwrap_or_default().to_ascii_lowercase();
    let mut body = Vec::new();
    let compressed = response.body.as_slice();
    match coding.as_str() {
        _ if compressed.is_empty() => return Ok(response),
        "gzip" => GzipDecoder::new(compressed).read_to_end(&mut body).await?,
        "br" => BrotliDecoder::new(compressed).read_to_end(&mut body).await?,
        "zstd" => ZstdDecoder::new(compressed).read_to_end(&mut body).await?,
        _ => return Ok(response),
    };
    response.body = body;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &[u8]) -> Result<ReplayResponse, String> {
        parse(text, false)
    }

    #[test]
    fn response_length_is_determined_by_length_chunks_or_close() {
        let fixed = body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        let chunked =
            body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n").unwrap();
        let open = body(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}").unwrap();
        assert!([fixed, chunked, open].iter().all(|response| response.status == 200 && response.body == b"{}"));
        let head = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true).unwrap();
        assert_eq!((head.status, head.body.len()), (200, 0));
    }

    #[test]
    fn incomplete_response_is_rejected() {
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
    fn server_url_has_an_origin_and_an_optional_path() {
        for url in ["", "localhost:8000", "ftp://x", "http://", "http://x/?a", "http://a@x/", "http://x/#f"] {
            assert!(Client::new(url).is_err(), "{url}");
        }
        let client = Client::new("http://[::1]:81/api/").unwrap();
        assert_eq!((client.origin(), client.prefix.as_str(), client.is_local()), ("http://[::1]:81", "/api", true));
        assert!(Client::new("http://localhost:8000").unwrap().is_local());
        assert!(!Client::new("http://api.example.com").unwrap().is_local());
    }
}
