//! Rejects requests that hyper accepts although proxies could read them in another way: those without exactly one valid host,
//! and those with an unknown transfer coding.

use hyper::Request;
use poem::http::{
    HeaderMap, Uri, Version,
    header::{HOST, TRANSFER_ENCODING},
    uri::Authority,
};

use super::RejectReason;

/// Returns the reason for rejecting a request, or `None` if it is unambiguous.
pub(super) fn find<B>(request: &Request<B>) -> Option<RejectReason> {
    if !has_one_host(request.version(), request.uri(), request.headers()) {
        return Some(RejectReason::InvalidHost);
    }
    (!has_supported_coding(request.headers())).then_some(RejectReason::UnsupportedTransferCoding)
}

/// Returns whether the transfer coding is `chunked` alone, or absent. hyper accepts further codings and does not decode
/// them (RFC 9112, section 6.1).
fn has_supported_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked =
        codings.next().is_none_or(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
    is_chunked && codings.next().is_none()
}

/// Returns whether the request has one valid `Host`, which agrees with the request line (RFC 9112, section 3.2).
fn has_one_host(version: Version, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return version < Version::HTTP_11 && !headers.contains_key(HOST);
    };
    let Some(host) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    host.as_str().bytes().all(is_host) && uri.authority().is_none_or(|authority| *authority == host)
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    #[test]
    fn chunked_is_the_only_transfer_coding() {
        let has = |codings: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(TRANSFER_ENCODING, HeaderValue::from_static(coding));
            }
            has_supported_coding(&headers)
        };
        assert!(has(&[]) && has(&["chunked"]) && has(&["Chunked "]));
        for codings in [
            &["gzip, chunked"][..],
            &["gzip", "chunked"],
            &["chunked", "chunked"],
            &["chunked, chunked"],
            &["identity, chunked"],
            &["chunked;q=1"],
            &[", chunked"],
            &[""],
        ] {
            assert!(!has(codings), "{codings:?}");
        }
    }

    #[test]
    fn exactly_one_valid_host_is_required() {
        let has = |version, uri: &str, hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
            }
            has_one_host(version, &uri.parse().unwrap(), &headers)
        };
        for host in ["api.example.com", "api.example.com:8443", "127.0.0.1:8000", "[::1]:8000", "API.example.com"] {
            assert!(has(Version::HTTP_11, "/x", &[host]), "{host}");
        }
        for host in ["", " ", "a b", "a/b", "a@b", "a,b", "\u{e9}", "http://a"] {
            assert!(!has(Version::HTTP_11, "/x", &[host]), "{host}");
        }
        assert!(!has(Version::HTTP_11, "/x", &[]));
        assert!(!has(Version::HTTP_11, "/x", &["a", "a"]));
        assert!(has(Version::HTTP_10, "/x", &[]) && !has(Version::HTTP_10, "/x", &["a", "b"]));
        assert!(has(Version::HTTP_11, "http://a/x", &["a"]) && !has(Version::HTTP_11, "http://a/x", &["b"]));
    }
}
