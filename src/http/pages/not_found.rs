//! The page for unknown paths.

use super::PageInfo;
use super::assets::Asset;
use super::layout;
use super::template::fill;

pub(super) fn html(info: &PageInfo<'_>, assets: &[Asset]) -> String {
    let header = layout::header(info, "", "");
    fill(include_str!("assets/not-found.html"), &[("head", &layout::head(assets)), ("header", &header)])
}
