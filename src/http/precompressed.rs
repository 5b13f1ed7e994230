//! Files compressed at the best level, once per process and encoding.
//!
//! A server compresses its largest files ahead, when it starts ([`compress_ahead`]). For other files, the first request with an encoding
//! starts the compression in the background and is compressed as it is sent; requests after its end receive the result.
//!
//! [`compress_ahead`]: Precompressed::compress_ahead

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use bytes::Bytes;
use poem::{
    IntoResponse, Response,
    web::{Compress, CompressionAlgo, CompressionLevel},
};

use crate::thread_priority;

/// A content coding: its name and its algorithm.
pub(super) type Encoding = (&'static str, CompressionAlgo);

/// The supported encodings. Of encodings with equal quality, the first is preferred.
pub(super) const ENCODINGS: [Encoding; 3] =
    [("zstd", CompressionAlgo::ZSTD), ("br", CompressionAlgo::BR), ("gzip", CompressionAlgo::GZIP)];

/// A file and its compressed forms.
#[derive(Clone)]
pub(super) struct Precompressed {
    body: Bytes,
    /// `None` while the file is being compressed.
    encoded: Arc<Mutex<HashMap<&'static str, Option<Bytes>>>>,
}

/// Limits the compression to one file at a time, so that it does not compete with requests for all cores.
static COMPRESSING: Mutex<()> = Mutex::new(());

impl Precompressed {
    pub(super) fn new(body: Bytes) -> Self {
        Self { body, encoded: Arc::default() }
    }

    /// Returns the file in this encoding, or starts its compression.
    pub(super) fn get(&self, name: &'static str, algorithm: CompressionAlgo) -> Option<Bytes> {
        let mut encoded = self.encoded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = encoded.get(name) {
            return state.clone();
        }
        encoded.insert(name, None);
        drop(encoded);
        let file = self.clone();
        in_background(move || file.encode(name, algorithm));
        None
    }

    /// Compresses the file in every encoding, unless a request has started that.
    pub(super) fn compress_ahead(&self) {
        for (name, algorithm) in ENCODINGS {
            let mut encoded = self.encoded.lock().unwrap_or_else(PoisonError::into_inner);
            if encoded.contains_key(name) {
                continue;
            }
            encoded.insert(name, None);
            drop(encoded);
            self.encode(name, algorithm);
        }
    }

    fn encode(&self, name: &'static str, algorithm: CompressionAlgo) {
        let _one = COMPRESSING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(body) = compress(&self.body, algorithm) {
            self.encoded.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Some(body));
        }
    }
}

/// Compresses files on a thread of low priority: the best levels take seconds.
pub(super) fn in_background(work: impl FnOnce() + Send + 'static) {
    let work = move || {
        thread_priority::lower();
        work();
    };
    if let Err(error) = thread::Builder::new().name("compression".to_owned()).spawn(work) {
        tracing::warn!(%error, "cannot start the compression of files");
    }
}

/// Compresses at the best level; `None` if the result would not be smaller.
fn compress(body: &Bytes, algorithm: CompressionAlgo) -> Option<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    let level = best_level(algorithm);
    let response = Compress::new(Response::builder().body(body.clone()), algorithm).with_quality(level).into_response();
    runtime.block_on(response.into_body().into_bytes()).ok().filter(|encoded| encoded.len() < body.len())
}

/// Zstandard above 17 needs a window of 8 MB, and memory in proportion. In debug builds, Brotli above 9 takes too long for tests.
fn best_level(algorithm: CompressionAlgo) -> CompressionLevel {
    CompressionLevel::Precise(match algorithm {
        CompressionAlgo::BR if cfg!(debug_assertions) => 9,
        CompressionAlgo::BR => 11,
        CompressionAlgo::GZIP | CompressionAlgo::DEFLATE => 9,
        CompressionAlgo::ZSTD => 17,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_level_is_smaller_in_the_order_of_the_formats() {
        let document = contract::v2::document().value().to_string();
        let size = |algorithm| compress(&Bytes::from(document.clone()), algorithm).unwrap().len();
        let [brotli, zstd, gzip] = [CompressionAlgo::BR, CompressionAlgo::ZSTD, CompressionAlgo::GZIP].map(size);
        assert!(brotli < gzip && zstd < gzip && gzip < document.len() / 6, "{brotli} {zstd} {gzip} {}", document.len());
        assert!(compress(&Bytes::from_static(b"x"), CompressionAlgo::GZIP).is_none());
    }

    #[test]
    fn file_that_was_compressed_ahead_needs_no_request() {
        let file = Precompressed::new(Bytes::from("text ".repeat(1000)));
        file.compress_ahead();
        for (name, algorithm) in ENCODINGS {
            assert!(file.get(name, algorithm).is_some_and(|body| body.len() < 100), "{name}");
        }
    }

    #[test]
    fn file_is_compressed_once() {
        let file = Precompressed::new(Bytes::from("text ".repeat(1000)));
        assert!(file.get("gzip", CompressionAlgo::GZIP).is_none());
        let encoded = loop {
            match file.get("gzip", CompressionAlgo::GZIP) {
                Some(encoded) => break encoded,
                None => thread::yield_now(),
            }
        };
        assert!(encoded.len() < 100);
        let again = file.get("gzip", CompressionAlgo::GZIP).unwrap();
        assert_eq!(again.as_ptr(), encoded.as_ptr());
    }
}
