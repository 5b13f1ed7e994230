//! Compression: gzip, br or zstd as the client prefers, above 1 KiB, and never where an answer carries tokens (a secret
//! beside text of the attacker's choice leaks through the length).

use poem::{
    IntoResponse, Response,
    http::{
        HeaderMap,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG},
    },
    web::{Compress, CompressionAlgo, CompressionLevel},
};

use super::negotiation::thousandths;

/// Below this many bytes compression costs more than it saves.
const MIN_BYTES: usize = 1024;

/// Ours, the best first among those the client likes the same.
const ALGORITHMS: [(&str, CompressionAlgo); 3] =
    [("zstd", CompressionAlgo::ZSTD), ("br", CompressionAlgo::BR), ("gzip", CompressionAlgo::GZIP)];

/// The algorithm the client likes best, and its name.
pub(super) fn preferred(headers: &HeaderMap) -> Option<(&'static str, CompressionAlgo)> {
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
    best.map(|(_, name, algorithm)| (name, algorithm))
}

fn offer(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let quality = parts.find_map(|parameter| parameter.strip_prefix("q=")).map_or(Some(1000), thousandths)?;
    Some((name, quality))
}

/// Whether compressing this response is worth it.
pub(super) fn is_worth_it(response: &Response) -> bool {
    let headers = response.headers();
    let is_text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|media_type| {
        ["text/", "application/json", "application/problem+json", "application/yaml", "image/svg+xml"]
            .iter()
            .any(|prefix| media_type.starts_with(prefix))
    });
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    is_text && length.is_some_and(|length: usize| length >= MIN_BYTES) && !headers.contains_key(CONTENT_ENCODING)
}

/// Compresses a response. Another encoding is another representation, so a strong validator becomes a weak one.
pub(super) fn compress(mut response: Response, algorithm: CompressionAlgo) -> Response {
    response.headers_mut().remove(CONTENT_LENGTH);
    if let Some(weak) = response
        .headers()
        .get(ETAG)
        .and_then(|etag| etag.to_str().ok())
        .filter(|etag| !etag.starts_with("W/"))
        .and_then(|etag| format!("W/{etag}").parse().ok())
    {
        response.headers_mut().insert(ETAG, weak);
    }
    Compress::new(response, algorithm).with_quality(CompressionLevel::Fastest).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(preferred(&headers).map(|(name, _)| name), expected, "{accepted}");
        }
    }
}
