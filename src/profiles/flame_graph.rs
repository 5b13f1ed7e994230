//! Draws stacks as a flame graph: an SVG image without scripts and styles, which the content security policy of the API would block.
//!
//! The width of a box is the share of samples in which its function was on the stack. The text that browsers display for a box has the whole
//! name and the numbers.

use std::{collections::BTreeMap, fmt::Write};

const WIDTH: f64 = 1_200.0;
const ROW_HEIGHT: usize = 17;
const MARGIN: usize = 34;
/// Narrower boxes are omitted.
const MIN_BOX_WIDTH: f64 = 0.5;
/// Average width of a character.
const CHARACTER_WIDTH: f64 = 7.0;
/// Maximum depth of a stack. Deeper frames count for their callers.
const MAX_DEPTH: usize = 250;

/// A tree of functions and the number of samples below each.
#[derive(Debug, Default)]
pub(super) struct FlameGraph {
    samples: u64,
    callees: BTreeMap<String, FlameGraph>,
}

impl FlameGraph {
    /// Adds a stack, from the outermost function to the innermost.
    pub(super) fn add(&mut self, stack: impl IntoIterator<Item = String>, samples: u64) {
        self.samples += samples;
        let mut node = self;
        for function in stack.into_iter().take(MAX_DEPTH) {
            node = node.callees.entry(function).or_default();
            node.samples += samples;
        }
    }

    /// Returns the number of rows that are drawn.
    fn depth(&self, scale: f64) -> usize {
        let drawn = self.callees.values().filter(|node| node.width(scale) >= MIN_BOX_WIDTH);
        drawn.map(|node| 1 + node.depth(scale)).max().unwrap_or(0)
    }

    #[expect(clippy::cast_precision_loss, reason = "for display")]
    fn width(&self, scale: f64) -> f64 {
        self.samples as f64 * scale
    }

    /// Returns the image. `frequency` is the number of samples per second of CPU time.
    pub(super) fn to_svg(&self, frequency: u64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "for display")]
        let (scale, seconds) = (WIDTH / self.samples.max(1) as f64, self.samples as f64 / frequency.max(1) as f64);
        let height = MARGIN + (self.depth(scale) + 1) * ROW_HEIGHT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"monospace\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <text x=\"4\" y=\"20\">CPU time: {seconds:.2} s, {} samples</text>\n",
            self.samples
        );
        self.draw(&mut svg, scale, 0.0, MARGIN);
        svg.push_str("</svg>\n");
        svg
    }

    /// Draws the callees below each other, at this position.
    fn draw(&self, svg: &mut String, scale: f64, mut x: f64, y: usize) {
        for (name, node) in &self.callees {
            let width = node.width(scale);
            if width >= MIN_BOX_WIDTH {
                node.draw_box(svg, name, (x, y), width);
                node.draw(svg, scale, x, y + ROW_HEIGHT);
            }
            x += width;
        }
    }

    fn draw_box(&self, svg: &mut String, name: &str, (x, y): (f64, usize), width: f64) {
        let share = width / WIDTH * 100.0;
        let title = escaped(name);
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<g><title>{title}: {} samples, {share:.1} %</title><rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" \
             height=\"{}\" fill=\"{}\"/>",
            self.samples,
            ROW_HEIGHT - 1,
            color(name),
        );
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred characters")]
        let characters = (width / CHARACTER_WIDTH) as usize;
        if characters >= 3 {
            let label: String = if name.chars().count() > characters {
                name.chars().take(characters - 1).chain(['…']).collect()
            } else {
                name.to_owned()
            };
            let _ = write!(svg, "<text x=\"{:.1}\" y=\"{}\">{}</text>", x + 2.0, y + ROW_HEIGHT - 5, escaped(&label));
        }
        svg.push_str("</g>\n");
    }
}

/// Returns a warm color that depends on the name.
fn color(name: &str) -> String {
    let hash = crc32fast::hash(name.as_bytes());
    let part = |shift: u32, base: u32, range: u32| base + (hash >> shift) % range;
    format!("rgb({},{},{})", part(0, 205, 50), part(8, 100, 120), part(16, 40, 60))
}

/// Escapes text for XML. Characters that XML does not allow are replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(functions: &[&str]) -> Vec<String> {
        functions.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn width_is_the_share_of_samples() {
        let mut graph = FlameGraph::default();
        graph.add(stack(&["main", "read"]), 25);
        graph.add(stack(&["main", "write<T>"]), 75);
        let svg = graph.to_svg(100);
        assert!(svg.contains("CPU time: 1.00 s, 100 samples"), "{svg}");
        for expected in [
            "<title>main: 100 samples, 100.0 %</title><rect x=\"0.0\" y=\"34\" width=\"1200.0\"",
            "<title>read: 25 samples, 25.0 %</title><rect x=\"0.0\" y=\"51\" width=\"300.0\"",
            "<title>write&lt;T&gt;: 75 samples, 75.0 %</title><rect x=\"300.0\" y=\"51\" width=\"900.0\"",
        ] {
            assert!(svg.contains(expected), "{expected} in {svg}");
        }
        assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
    }

    #[test]
    fn deep_stacks_and_narrow_boxes_are_bounded() {
        let mut graph = FlameGraph::default();
        graph.add((0..10_000).map(|number| format!("f{number}")), 1);
        graph.add(stack(&["rare"]), 0);
        let svg = graph.to_svg(99);
        assert_eq!(svg.matches("<rect x").count(), MAX_DEPTH);
        assert!(!svg.contains("rare"));
        assert!(FlameGraph::default().to_svg(99).contains("0 samples"));
    }

    #[test]
    fn image_has_no_markup_of_its_names() {
        let mut graph = FlameGraph::default();
        graph.add(stack(&["</title><script>alert(1)</script>\u{1}\""]), 1);
        let svg = graph.to_svg(99);
        assert!(!svg.contains("<script") && !svg.contains('\u{1}'), "{svg}");
    }
}
