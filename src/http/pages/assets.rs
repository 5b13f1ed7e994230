//! Scripts, styles and icons of the pages, with a fingerprint of their content in their names.
//!
//! The fingerprint is in the path, not in the query, so that a rolling deployment is safe: an old replica returns 404 for the
//! script of a new page, not an old version, which the browser would cache for a year.

use std::sync::LazyLock;

use super::{console, swagger_ui};

#[derive(Debug)]
pub(super) struct Asset {
    /// The name in templates: `docs.js`.
    pub(super) name: &'static str,
    pub(super) path: String,
    pub(super) content_type: &'static str,
    pub(super) fingerprint: String,
    pub(super) body: &'static [u8],
}

impl Asset {
    pub(super) fn is_fingerprinted(&self) -> bool {
        self.path.contains(&self.fingerprint)
    }
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let swagger_ui = swagger_ui::extracted();
    let mut assets = vec![
        fingerprinted("", "site.css", STYLE, include_bytes!("assets/site.css")),
        fingerprinted("", "theme.js", SCRIPT, include_bytes!("assets/theme.js")),
        fingerprinted("", "page.js", SCRIPT, include_bytes!("assets/page.js")),
        fingerprinted("", "session.js", SCRIPT, include_bytes!("assets/session.js")),
        fingerprinted("", "home.js", SCRIPT, include_bytes!("assets/home.js")),
        fingerprinted("/docs", "docs.css", STYLE, include_bytes!("assets/docs.css")),
        fingerprinted("/docs", "docs-overlay.js", SCRIPT, include_bytes!("assets/docs-overlay.js")),
        fingerprinted("/docs", "docs-history.js", SCRIPT, include_bytes!("assets/docs-history.js")),
        fingerprinted("/docs", "docs.js", SCRIPT, include_bytes!("assets/docs.js")),
        fingerprinted("/console", "mail.css", STYLE, include_bytes!("assets/mail.css")),
        fingerprinted("/docs", "swagger-ui.css", STYLE, swagger_ui.style.as_bytes()),
        fingerprinted("/docs", "swagger-ui.js", SCRIPT, swagger_ui.script.as_bytes()),
        fingerprinted("/reference", "reference.css", STYLE, include_bytes!("assets/reference.css")),
        fingerprinted("/reference", "reference.js", SCRIPT, include_bytes!("assets/reference.js")),
        // The icons have no fingerprint, because bookmarks refer to them.
        fixed("/favicon.svg", "image/svg+xml", include_bytes!("assets/favicon.svg")),
        fixed("/favicon.ico", "image/x-icon", include_bytes!("assets/favicon.ico")),
    ];
    assets.extend(console::assets());
    assets
});

/// The type of a script.
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";
/// The type of a style sheet.
pub(super) const STYLE: &str = "text/css; charset=utf-8";

/// Returns all assets, built once per process.
pub(super) fn all() -> &'static [Asset] {
    &ASSETS
}

/// Returns the path of the asset with this name.
pub(super) fn path<'a>(assets: &'a [Asset], name: &str) -> &'a str {
    assets.iter().find(|asset| asset.name == name).map_or("", |asset| &asset.path)
}

/// Creates an asset with a fingerprint in its path.
pub(super) fn fingerprinted(
    directory: &str,
    name: &'static str,
    content_type: &'static str,
    body: &'static [u8],
) -> Asset {
    let fingerprint = fingerprint(body);
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let path = format!("{directory}/{stem}.{fingerprint}.{extension}");
    Asset { name, path, content_type, fingerprint, body }
}

fn fixed(path: &'static str, content_type: &'static str, body: &'static [u8]) -> Asset {
    Asset { name: path, path: path.to_owned(), content_type, fingerprint: fingerprint(body), body }
}

/// Returns a hash of the content: FNV-1a with 128 bits, applied to 16 bytes at a time, so that 1.4 MB take 2 ms in a debug build.
/// A collision has no security impact, because all content is part of the binary.
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
    // The length distinguishes "a" from "a\0"; the last rounds spread late differences over all bits.
    for word in [bytes.len() as u128, 1, 2, 3] {
        hash = mix(hash, word);
    }
    format!("{:016x}", (hash >> 64) as u64 ^ hash as u64)
}
