//! Compresses responses with zstd, Brotli or gzip: bodies of at least 1 KiB and streams of rows.
//!
//! Files that do not change are compressed once, at the best level ([`Precompressed`]).
//!
//! A response is not compressed if it carries tokens or if a page of another site requested it: the length of a compressed
//! response reveals secrets in it if an attacker chooses another part (CRIME, BREACH).

use contract::{conditional, negotiation::parse_quality, table::RowFormat};
use poem::{
    IntoResponse, Request, Response,
    http::{
        HeaderMap, HeaderValue, Uri,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG},
        uri::Authority,
    },
    web::{Compress, CompressionAlgo, CompressionLevel},
};

use super::cors::CorsGrant;
use crate::http::precompressed::{ENCODINGS, Encoding, Precompressed};

/// Minimum size of a body to compress, in bytes.
const MIN_BYTES: usize = 1024;

/// Selects the encoding of the response; `None` if it must not be compressed.
pub(super) fn negotiate(request: &Request, cors: Option<&CorsGrant>) -> Option<Encoding> {
    let is_trusted = cors.is_some_and(CorsGrant::is_allowed) || !is_cross_site(request);
    preferred_encoding(request.headers()).filter(|_| is_trusted)
}

/// Returns whether a page of another site caused the request, according to Fetch Metadata or, in older browsers, to `Referer`,
/// which pages of this server do not send. A page opened by a link from another site is therefore sent uncompressed; its
/// resources are compressed.
fn is_cross_site(request: &Request) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match (header("sec-fetch-site"), header("referer")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(page)) => {
            let page = page.parse::<Uri>().ok().and_then(|page| page.authority().cloned());
            let host = request.uri().authority().map(Authority::as_str).or_else(|| header("host"));
            !page.zip(host).is_some_and(|(page, host)| page.as_str().eq_ignore_ascii_case(host))
        }
        (None, None) => false,
    }
}

/// Returns the supported encoding of the highest quality in `Accept-Encoding`; `None` if the client prefers an uncompressed
/// response.
fn preferred_encoding(headers: &HeaderMap) -> Option<Encoding> {
    let mut best: Option<(u16, &'static str, CompressionAlgo)> = None;
    let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let accepted: Vec<(&str, u16)> = accepted.flat_map(|value| value.split(',')).filter_map(parse_encoding).collect();
    let any = accepted.iter().find(|(name, _)| *name == "*").map(|(_, quality)| *quality);
    for (name, algorithm) in ENCODINGS {
        let listed = accepted.iter().find(|(listed, _)| listed.eq_ignore_ascii_case(name)).map(|(_, quality)| *quality);
        let quality = listed.or(any).unwrap_or(0);
        if quality > 0 && best.as_ref().is_none_or(|(best, ..)| quality > *best) {
            best = Some((quality, name, algorithm));
        }
    }
    // `identity` is an encoding, too (RFC 9110, section 12.5.3). At equal quality, compression wins.
    let identity =
        accepted.iter().find(|(name, _)| name.eq_ignore_ascii_case("identity")).map_or(0, |(_, quality)| *quality);
    best.filter(|(quality, ..)| *quality >= identity).map(|(_, name, algorithm)| (name, algorithm))
}

fn parse_encoding(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    // RFC 9110, section 8.4.1.3.
    let name = if name.eq_ignore_ascii_case("x-gzip") { "gzip" } else { name };
    Some((name, parse_quality(parts)?))
}

/// Returns whether to compress the response: text with a length of at least 1 KiB, and streams of rows, which are usually longer.
pub(super) fn is_compressible(response: &Response) -> bool {
    const TEXT: [&str; 5] =
        ["text/", "application/json", "application/problem+json", "application/yaml", "image/svg+xml"];
    const ROWS: [&str; 2] = [RowFormat::Csv.media_type(), RowFormat::Ndjson.media_type()];
    // JSON without a length is an export file; every other JSON response has one.
    const STREAMED: [&str; 3] = [ROWS[0], ROWS[1], "application/json"];
    let headers = response.headers();
    let is_one_of = |prefixes: &[&str]| {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        prefixes.iter().any(|prefix| media_type.starts_with(prefix))
    };
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let is_long = length.map_or_else(|| is_one_of(&STREAMED), |length: usize| length >= MIN_BYTES);
    is_long && (is_one_of(&TEXT) || is_one_of(&ROWS)) && !headers.contains_key(CONTENT_ENCODING)
}

/// Compresses a response; without a body (HEAD), only its headers change. The ETag gets the encoding as a suffix: the
/// compressed response is another representation.
pub(super) fn compress(mut response: Response, (name, algorithm): Encoding, has_body: bool) -> Response {
    let file = response.extensions().get::<Precompressed>();
    let is_file = file.is_some();
    let file = file.and_then(|file| file.get(name, algorithm));
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok());
    if let Some(mut etag) = etag.map(|etag| conditional::with_encoding(etag, name)) {
        // Later responses have other bytes, those of the best level.
        if is_file && file.is_none() && !etag.starts_with("W/") {
            etag.insert_str(0, "W/");
        }
        if let Ok(etag) = etag.parse() {
            headers.insert(ETAG, etag);
        }
    }
    if let Some(body) = &file {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    if !has_body || file.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    match file {
        Some(body) if has_body => response.set_body(body),
        None if has_body => {
            let level = if is_file { first_level(algorithm) } else { streaming_level(algorithm) };
            return Compress::new(response, algorithm).with_quality(level).into_response();
        }
        _ => {}
    }
    response
}

/// Returns a level at which compression is not slower than the connection of a client.
fn streaming_level(algorithm: CompressionAlgo) -> CompressionLevel {
    CompressionLevel::Precise(match algorithm {
        CompressionAlgo::BR => 4,
        CompressionAlgo::GZIP | CompressionAlgo::DEFLATE => 5,
        CompressionAlgo::ZSTD => 3,
    })
}

/// Returns the level for a file that is not compressed yet: its result is not larger than that of a less preferred encoding.
fn first_level(algorithm: CompressionAlgo) -> CompressionLevel {
    match algorithm {
        CompressionAlgo::BR => CompressionLevel::Precise(6),
        other => streaming_level(other),
    }
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use futures_util::{Stream, StreamExt, stream};
    use poem::{Body, Endpoint, EndpointExt, endpoint, middleware};

    use super::*;

    fn response(content_type: &str, length: Option<usize>) -> Response {
        let response = Response::builder().content_type(content_type);
        length.into_iter().fold(response, |response, length| response.header(CONTENT_LENGTH, length)).finish()
    }

    #[test]
    fn long_text_is_compressible() {
        for (content_type, length, expected) in [
            ("application/json", Some(1024), true),
            ("application/json", Some(1023), false),
            ("application/json", None, true),
            ("text/html; charset=utf-8", Some(5000), true),
            ("text/html; charset=utf-8", None, false),
            ("image/png", Some(5000), false),
            ("text/csv; charset=utf-8; header=present", None, true),
            ("text/csv; charset=utf-8; header=present", Some(10), false),
            ("application/x-ndjson", None, true),
            ("application/x-ndjson", Some(5000), true),
            ("application/octet-stream", None, false),
        ] {
            assert_eq!(is_compressible(&response(content_type, length)), expected, "{content_type} {length:?}");
        }
        let mut encoded = self::response("text/csv", None);
        encoded.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        assert!(!is_compressible(&encoded));
    }

    #[test]
    fn request_from_another_site_is_cross_site() {
        for (headers, expected) in [
            (&[][..], false),
            (&[("sec-fetch-site", "none")][..], false),
            (&[("sec-fetch-site", "same-origin")][..], false),
            (&[("sec-fetch-site", "same-origin"), ("referer", "https://evil.example/")][..], false),
            (&[("sec-fetch-site", "same-site")][..], true),
            (&[("sec-fetch-site", "cross-site")][..], true),
            (&[("referer", "https://API.example.com:8443/docs?x=1")][..], false),
            (&[("referer", "https://api.example.com/docs")][..], true),
            (&[("referer", "https://evil.example/?api.example.com:8443")][..], true),
            (&[("referer", "no address")][..], true),
        ] {
            let request = Request::builder().header("host", "api.example.com:8443");
            let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            assert_eq!(is_cross_site(&request.finish()), expected, "{headers:?}");
        }
    }

    #[test]
    fn etag_contains_the_encoding() {
        for (etag, expected) in [("\"abc\"", "\"abc-br\""), ("W/\"abc\"", "W/\"abc-br\"")] {
            let mut response = self::response("text/csv", Some(5000));
            response.headers_mut().insert(ETAG, etag.parse().unwrap());
            let response = compress(response, ("br", CompressionAlgo::BR), true);
            assert_eq!(response.headers()[ETAG], expected);
            assert_eq!(response.headers()[CONTENT_ENCODING], "br");
            assert!(!response.headers().contains_key(CONTENT_LENGTH));
            // The response to HEAD has the same headers.
            let mut head = self::response("text/csv", Some(5000));
            head.headers_mut().insert(ETAG, etag.parse().unwrap());
            let head = compress(head, ("br", CompressionAlgo::BR), false);
            assert_eq!(head.headers(), response.headers());
        }
    }

    #[test]
    fn etag_of_a_file_is_weak_until_it_is_compressed() {
        let file = Precompressed::new("text ".repeat(1000).into());
        let send = |has_body| {
            let mut response = self::response("text/css", Some(5000));
            response.headers_mut().insert(ETAG, "\"abc\"".parse().unwrap());
            response.extensions_mut().insert(file.clone());
            compress(response, ("gzip", CompressionAlgo::GZIP), has_body)
        };
        assert_eq!(send(true).headers()[ETAG], "W/\"abc-gzip\"");
        file.compress_ahead();
        while file.get("gzip", CompressionAlgo::GZIP).is_none() {
            std::thread::yield_now();
        }
        for has_body in [true, false] {
            assert_eq!(send(has_body).headers()[ETAG], "\"abc-gzip\"");
        }
    }

    /// Returns the decompressed stream as a client reads it: poem decompresses request bodies, so the response is sent as one.
    async fn read_back(
        parts: impl Stream<Item = io::Result<&'static str>> + Send + 'static,
        (name, algorithm): Encoding,
    ) -> impl Stream<Item = io::Result<bytes::Bytes>> {
        let response = Response::builder().content_type("text/csv").body(Body::from_bytes_stream(parts));
        let body = compress(response, (name, algorithm), true).into_body();
        let echo = endpoint::make(|request: Request| async move { Response::builder().body(request.into_body()) });
        let echo = echo.with(middleware::Compression::new());
        let request = Request::builder().header(CONTENT_ENCODING, name).body(body);
        echo.call(request).await.unwrap().into_response().into_body().into_bytes_stream()
    }

    #[tokio::test]
    async fn slow_stream_is_flushed() {
        for encoding in ENCODINGS {
            let (more, parts) = tokio::sync::mpsc::channel(1);
            let parts = stream::unfold(parts, |mut parts| async move { Some((Ok(parts.recv().await?), parts)) });
            let mut read = Box::pin(read_back(parts, encoding).await);
            // The next row is fetched only after the client has read this one, so the compressor must not retain it.
            for part in ["id,name\r\n", "1,Everest\r\n", "2,K2\r\n"] {
                more.send(part).await.unwrap();
                let mut got = Vec::new();
                while got.len() < part.len() {
                    let next = tokio::time::timeout(Duration::from_secs(10), read.next());
                    got.extend(next.await.expect(encoding.0).unwrap().unwrap());
                }
                assert_eq!(String::from_utf8(got).unwrap(), part, "{}", encoding.0);
            }
            drop(more);
            assert!(read.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn brotli_is_smaller_than_gzip() {
        let text: String = (0..400).map(|id| format!("{{\"id\":{id},\"name\":\"Item {}\"}},", id * 7919)).collect();
        let mut sizes = Vec::new();
        for encoding in ENCODINGS {
            let response = Response::builder().content_type("application/json").body(text.clone());
            let body = compress(response, encoding, true).into_body().into_bytes().await.unwrap();
            sizes.push(body.len());
        }
        let [zstd, brotli, gzip] = sizes[..] else { panic!("{sizes:?}") };
        assert!(brotli < gzip && zstd < text.len() / 4 && gzip < text.len() / 4, "{sizes:?} of {}", text.len());
    }

    #[tokio::test]
    async fn first_response_of_a_file_is_smaller_in_brotli_than_in_gzip() {
        for text in [
            include_str!("../pages/assets/docs.js"),
            include_str!("../pages/assets/session.js"),
            include_str!("../pages/assets/site.css"),
        ] {
            let mut sizes = Vec::new();
            for encoding in ENCODINGS {
                let mut response = Response::builder().content_type("text/javascript").body(text);
                response.extensions_mut().insert(Precompressed::new(text.into()));
                sizes.push(compress(response, encoding, true).into_body().into_bytes().await.unwrap().len());
            }
            let [_, brotli, gzip] = sizes[..] else { panic!("{sizes:?}") };
            assert!(brotli < gzip, "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn broken_stream_stays_broken() {
        for (name, algorithm) in ENCODINGS {
            let parts = stream::iter([Ok("id,name\r\n"), Err(io::Error::other("gone"))]);
            let response = Response::builder().content_type("text/csv").body(Body::from_bytes_stream(parts));
            let body = compress(response, (name, algorithm), true).into_body();
            let parts: Vec<_> = body.into_bytes_stream().collect().await;
            assert!(parts.last().is_some_and(Result::is_err), "{name}: {parts:?}");
        }
    }

    #[test]
    fn preferred_encoding_has_the_highest_quality() {
        for (accepted, expected) in [
            ("", None),
            ("identity", None),
            ("gzip", Some("gzip")),
            ("gzip, br, zstd", Some("zstd")),
            ("gzip;q=1.0, br;q=0.5", Some("gzip")),
            ("br;q=0, *", Some("zstd")),
            ("*;q=0", None),
            ("zstd;q=0, br;q=0, *;q=0.1", Some("gzip")),
            ("GZIP", Some("gzip")),
            ("X-Gzip", Some("gzip")),
            ("x-gzip;q=0, *", Some("zstd")),
            ("gzip;q=nonsense", None),
            ("identity;q=1, gzip;q=0.5", None),
            ("identity, gzip", Some("gzip")),
            ("identity;q=0.5, gzip;q=0.6, br;q=0.4", Some("gzip")),
            ("identity;q=0.5, *;q=0.4", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(preferred_encoding(&headers).map(|(name, _)| name), expected, "{accepted}");
        }
    }
}
