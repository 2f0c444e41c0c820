//! A small plot: lines over two logarithmic axes, as SVG that any browser shows.

use std::fmt::Write as _;

/// One line.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const COLOURS: [&str; 6] = ["#1b6ca8", "#c0392b", "#27864a", "#8e44ad", "#b9770e", "#444444"];

/// Draws them; axes run over whole decades.
pub(crate) fn draw(title: &str, x_name: &str, y_name: &str, lines: &[Line]) -> String {
    let all = || lines.iter().flat_map(|l| &l.points);
    let decades = |pick: fn(&(f64, f64)) -> f64| {
        let low = all().map(pick).fold(f64::INFINITY, f64::min).max(1e-9).log10().floor();
        let high = all().map(pick).fold(0.0, f64::max).max(1e-9).log10().ceil();
        (low, if high > low { high } else { low + 1.0 })
    };
    let (x_axis, y_axis) = (decades(|p| p.0), decades(|p| p.1));
    let place = |value: f64, (low, high): (f64, f64)| (value.max(1e-9).log10() - low) / (high - low);
    let x = |value: f64| LEFT + place(value, x_axis) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - place(value, y_axis) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    );
    // Writing to a string does not fail.
    for decade in x_axis.0 as i32..=x_axis.1 as i32 {
        let at = x(10f64.powi(decade));
        let (end, label) = (HEIGHT - BOTTOM, HEIGHT - BOTTOM + 18.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{end}\" stroke=\"#dddddd\"/>"
        );
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{label}\" text-anchor=\"middle\">{}</text>",
            number(decade)
        );
    }
    for decade in y_axis.0 as i32..=y_axis.1 as i32 {
        let at = y(10f64.powi(decade));
        let (end, label) = (WIDTH - RIGHT, LEFT - 6.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{end}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>"
        );
        let (text_at, shown) = (at + 4.0, number(decade));
        let _ = writeln!(svg, "<text x=\"{label}\" y=\"{text_at:.1}\" text-anchor=\"end\">{shown}</text>");
    }
    let (middle, low) = ((WIDTH - RIGHT + LEFT) / 2.0, HEIGHT - 12.0);
    let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{low}\" text-anchor=\"middle\">{x_name}</text>");
    let _ = writeln!(
        svg,
        "<text x=\"14\" y=\"{}\" transform=\"rotate(-90 14 {0})\" text-anchor=\"middle\">{y_name}</text>",
        HEIGHT / 2.0
    );
    for (n, line) in lines.iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let points: Vec<String> =
            line.points.iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        for point in &line.points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(point.0),
                y(point.1)
            );
        }
        let (at, row) = (WIDTH - RIGHT + 14.0, TOP + 12.0 + 20.0 * n as f64);
        let _ = writeln!(svg, "<text x=\"{at}\" y=\"{row}\" fill=\"{colour}\">{}</text>", line.name);
    }
    svg.push_str("</svg>\n");
    svg
}

fn number(decade: i32) -> String {
    match decade {
        -9..=-1 => format!("{}", 10f64.powi(decade)),
        0..=4 => format!("{:.0}", 10f64.powi(decade)),
        _ => format!("10^{decade}"),
    }
}
