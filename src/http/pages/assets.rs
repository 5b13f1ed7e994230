//! What the pages load: scripts, styles and the icon, under names that contain a fingerprint of their content.
//!
//! With the fingerprint in the path (rather than in a query) a rolling deploy is safe: an old replica answers 404 to the
//! new page's script instead of sending its own, which a browser would then keep for a year.

use std::sync::LazyLock;

use super::{redoc, swagger_ui};

#[derive(Debug)]
pub(super) struct Asset {
    /// The name that templates use: `docs.js`.
    pub(super) name: &'static str,
    pub(super) path: String,
    pub(super) content_type: &'static str,
    pub(super) fingerprint: String,
    pub(super) body: &'static str,
}

impl Asset {
    pub(super) fn is_fingerprinted(&self) -> bool {
        self.path.contains(&self.fingerprint)
    }
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let swagger_ui = swagger_ui::extracted();
    vec![
        named("", "site.css", STYLE, include_str!("assets/site.css")),
        named("", "home.js", SCRIPT, include_str!("assets/home.js")),
        named("/docs", "docs.css", STYLE, include_str!("assets/docs.css")),
        named("/docs", "docs.js", SCRIPT, include_str!("assets/docs.js")),
        named("/console", "console.css", STYLE, include_str!("assets/console.css")),
        named("/console", "console.js", SCRIPT, include_str!("assets/console.js")),
        named("/docs", "swagger-ui.css", STYLE, swagger_ui.style),
        named("/docs", "swagger-ui.js", SCRIPT, swagger_ui.script),
        named("/redoc", "redoc.css", STYLE, include_str!("assets/redoc.css")),
        named("/redoc", "redoc.js", SCRIPT, include_str!("assets/redoc.js")),
        named("/redoc", "redoc-bundle.js", SCRIPT, redoc::script()),
        // The icon keeps its plain name: bookmarks and other pages refer to it.
        Asset {
            path: "/favicon.svg".to_owned(),
            ..named("", "favicon.svg", "image/svg+xml", include_str!("assets/favicon.svg"))
        },
    ]
});

/// All of them, built once per process.
pub(super) fn all() -> &'static [Asset] {
    &ASSETS
}

/// Where a template finds the asset it calls by name.
pub(super) fn path<'a>(assets: &'a [Asset], name: &str) -> &'a str {
    assets.iter().find(|asset| asset.name == name).map_or("", |asset| &asset.path)
}

pub(super) fn named(folder: &str, name: &'static str, content_type: &'static str, body: &'static str) -> Asset {
    let fingerprint = fingerprint(body.as_bytes());
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let path = format!("{folder}/{stem}.{fingerprint}.{extension}");
    Asset { name, path, content_type, fingerprint, body }
}

/// FNV-1a with 128 bits, a whole word of them at a time, so that 1.4 MB take 2 ms even in a build without optimisation.
/// It tells versions of our own files apart; nobody gains anything from a collision.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let mix = |hash: u128, word: u128| (hash ^ word).wrapping_mul(PRIME).rotate_left(47);
    let (words, rest) = bytes.as_chunks::<16>();
    for word in words {
        hash = mix(hash, u128::from_le_bytes(*word));
    }
    for byte in rest {
        hash = mix(hash, u128::from(*byte));
    }
    // The length tells "a" from "a\0"; the last rounds spread late differences over all bits.
    for word in [bytes.len() as u128, 1, 2, 3] {
        hash = mix(hash, word);
    }
    format!("{:016x}", (hash >> 64) as u64 ^ hash as u64)
}
