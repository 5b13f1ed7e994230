//! Compression: gzip, br or zstd as the client prefers, above 1 KiB and in streams of rows, and never where an answer
//! carries tokens or was asked for by a page of another site (a secret beside text of an attacker's choice leaks through the
//! length of an answer: CRIME, BREACH).

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

/// Below this many bytes compression costs more than it saves.
const MIN_BYTES: usize = 1024;

/// A content coding: its name and how it is done.
pub(super) type Encoding = (&'static str, CompressionAlgo);

/// Ours, the best first among those the client likes the same.
const ALGORITHMS: [Encoding; 3] =
    [("zstd", CompressionAlgo::ZSTD), ("br", CompressionAlgo::BR), ("gzip", CompressionAlgo::GZIP)];

/// Whether a page of another site made a browser ask. Whoever follows a link from there gets one page uncompressed; what
/// that page loads is its own. Without the header that browsers send about it (Fetch Metadata), the address of the page
/// tells: ours never send theirs.
pub(super) fn is_asked_by_another_site(request: &Request) -> bool {
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

/// The algorithm the client likes best, and its name; `None` where it likes none better than none.
pub(super) fn preferred(headers: &HeaderMap) -> Option<Encoding> {
    let mut best: Option<(u16, &'static str, CompressionAlgo)> = None;
    let offers = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let offers: Vec<(&str, u16)> = offers.flat_map(|value| value.split(',')).filter_map(offer).collect();
    let any = offers.iter().find(|(name, _)| *name == "*").map(|(_, quality)| *quality);
    for (name, algorithm) in ALGORITHMS {
        let named = offers.iter().find(|(offered, _)| offered.eq_ignore_ascii_case(name)).map(|(_, quality)| *quality);
        let quality = named.or(any).unwrap_or(0);
        if quality > 0 && best.as_ref().is_none_or(|(best, ..)| quality > *best) {
            best = Some((quality, name, algorithm));
        }
    }
    // Not to compress is one of the choices (RFC 9110, section 12.5.3); of what is liked the same, the shorter one.
    let plain =
        offers.iter().find(|(name, _)| name.eq_ignore_ascii_case("identity")).map_or(0, |(_, quality)| *quality);
    best.filter(|(quality, ..)| *quality >= plain).map(|(_, name, algorithm)| (name, algorithm))
}

fn offer(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    Some((name, parse_quality(parts)?))
}

/// Whether compressing this response is worth it. How long a stream of rows will be nobody knows; as a rule, long.
pub(super) fn is_worth_it(response: &Response) -> bool {
    const TEXT: [&str; 5] =
        ["text/", "application/json", "application/problem+json", "application/yaml", "image/svg+xml"];
    const ROWS: [&str; 2] = [RowFormat::Csv.media_type(), RowFormat::Ndjson.media_type()];
    // JSON has its length unless it is a file that is streamed; a test holds every answer to that.
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

/// Compresses a response, or only says of it what is said of a compressed one: for HEAD. Another encoding is another
/// representation, so its validator is another one, too.
pub(super) fn compress(mut response: Response, (name, algorithm): Encoding, has_body: bool) -> Response {
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok());
    if let Some(etag) = etag.and_then(|etag| conditional::with_encoding(etag, name).parse().ok()) {
        headers.insert(ETAG, etag);
    }
    if !has_body {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        return response;
    }
    Compress::new(response, algorithm).with_quality(CompressionLevel::Fastest).into_response()
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use futures_util::{Stream, StreamExt, stream};
    use poem::{Body, Endpoint, EndpointExt, endpoint, middleware};

    use super::*;

    fn answer(content_type: &str, length: Option<usize>) -> Response {
        let response = Response::builder().content_type(content_type);
        length.into_iter().fold(response, |response, length| response.header(CONTENT_LENGTH, length)).finish()
    }

    #[test]
    fn long_text_is_worth_it() {
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
            assert_eq!(is_worth_it(&answer(content_type, length)), expected, "{content_type} {length:?}");
        }
        let mut twice = answer("text/csv", None);
        twice.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        assert!(!is_worth_it(&twice));
    }

    #[test]
    fn a_page_of_another_site_is_told_from_ours_and_from_no_page() {
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
            assert_eq!(is_asked_by_another_site(&request.finish()), expected, "{headers:?}");
        }
    }

    #[test]
    fn each_encoding_has_a_validator_of_its_own() {
        for (etag, expected) in [("\"abc\"", "\"abc-br\""), ("W/\"abc\"", "W/\"abc-br\"")] {
            let mut response = answer("text/csv", Some(5000));
            response.headers_mut().insert(ETAG, etag.parse().unwrap());
            let response = compress(response, ("br", CompressionAlgo::BR), true);
            assert_eq!(response.headers()[ETAG], expected);
            assert_eq!(response.headers()[CONTENT_ENCODING], "br");
            assert!(!response.headers().contains_key(CONTENT_LENGTH));
            // HEAD says the same.
            let mut head = answer("text/csv", Some(5000));
            head.headers_mut().insert(ETAG, etag.parse().unwrap());
            let head = compress(head, ("br", CompressionAlgo::BR), false);
            assert_eq!(head.headers(), response.headers());
        }
    }

    /// What a client reads of a compressed stream: poem decompresses requests, so the answer is sent back as one.
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
    async fn a_slow_stream_makes_progress() {
        for encoding in ALGORITHMS {
            let (more, parts) = tokio::sync::mpsc::channel(1);
            let parts = stream::unfold(parts, |mut parts| async move { Some((Ok(parts.recv().await?), parts)) });
            let mut read = Box::pin(read_back(parts, encoding).await);
            // Nothing follows until the client has read what came: it must not wait in the compressor.
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
    async fn a_broken_stream_stays_broken() {
        for (name, algorithm) in ALGORITHMS {
            let parts = stream::iter([Ok("id,name\r\n"), Err(io::Error::other("gone"))]);
            let response = Response::builder().content_type("text/csv").body(Body::from_bytes_stream(parts));
            let body = compress(response, (name, algorithm), true).into_body();
            let parts: Vec<_> = body.into_bytes_stream().collect().await;
            assert!(parts.last().is_some_and(Result::is_err), "{name}: {parts:?}");
        }
    }

    #[test]
    fn the_client_chooses() {
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
            ("gzip;q=nonsense", None),
            ("identity;q=1, gzip;q=0.5", None),
            ("identity, gzip", Some("gzip")),
            ("identity;q=0.5, gzip;q=0.6, br;q=0.4", Some("gzip")),
            ("identity;q=0.5, *;q=0.4", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(preferred(&headers).map(|(name, _)| name), expected, "{accepted}");
        }
    }
}
