//! Inline SVG, drawn by plotters.
//!
//! Three things plotters does not do are done around it. It places points on whole pixels, so we
//! draw [`SCALE`] times larger and let the browser shrink the picture: curves stay smooth. It knows
//! one colour scheme, so each colour here is a key that `style.css` maps to a light and a dark one.
//! It has one size, so each chart is drawn wide and narrow and CSS shows the one that fits.
//! Only numbers and dates are drawn: names belong to the HTML around, where they are escaped.

use chrono::NaiveDate;
use plotters::prelude::*;

use super::ReportError;
use super::axes::{Ruler, decimals, levels, levels_within, time_ticks};
use super::format::Locale;

/// Drawing units per CSS pixel.
const SCALE: u32 = 4;

/// Height of labels in CSS pixels. plotters divides by 1.24 to turn it into a font size.
const LABEL_SIZE: f64 = 12.0 * 1.24;

/// Colours as drawn. Each has a rule in `style.css`, in light and dark; a test compares them.
pub(super) mod palette {
    use plotters::style::RGBColor;

    pub(in super::super) const LABEL: RGBColor = RGBColor(0x5B, 0x66, 0x62);
    pub(in super::super) const GRID: RGBColor = RGBColor(0xDD, 0xE2, 0xDE);
    pub(in super::super) const BASELINE: RGBColor = RGBColor(0x8C, 0x96, 0x92);
    pub(in super::super) const PORTFOLIO: RGBColor = RGBColor(0x0B, 0x6E, 0x5F);
    pub(in super::super) const INDEX: RGBColor = RGBColor(0xB4, 0x70, 0x14);
    pub(in super::super) const RISK_FREE: RGBColor = RGBColor(0x6A, 0x5A, 0xA8);
    pub(in super::super) const LOSS: RGBColor = RGBColor(0xB3, 0x45, 0x2C);
    pub(in super::super) const IN_SAMPLE: RGBColor = RGBColor(0x7A, 0x86, 0x9A);
}

/// Size of one drawing in CSS pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    width: u32,
    height: u32,
    /// Most labels that fit on the time axis.
    time_labels: usize,
}

/// Across the page.
pub(super) const WIDE: Size = Size { width: 1_040, height: 320, time_labels: 12 };
/// Half the page.
pub(super) const HALF: Size = Size { width: 500, height: 270, time_labels: 6 };
/// A telephone.
pub(super) const NARROW: Size = Size { width: 360, height: 250, time_labels: 4 };

/// How the vertical axis is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Axis {
    Number,
    Percent,
}

/// One curve; `None` leaves a gap.
pub(super) struct Curve {
    pub(super) values: Vec<Option<f64>>,
    pub(super) colour: RGBColor,
    /// Stroke in CSS pixels.
    pub(super) width: f64,
}

/// A vertical band over sessions `from..=to`.
pub(super) struct Band {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) colour: RGBColor,
    /// 0 is invisible.
    pub(super) opacity: f64,
}

/// Curves over sessions. The axis is the session number, so weekends leave no gaps.
pub(super) struct TimeChart<'a> {
    pub(super) dates: &'a [NaiveDate],
    pub(super) curves: Vec<Curve>,
    pub(super) bands: Vec<Band>,
    /// Fills the space between the first curve and this level.
    pub(super) fill_to: Option<f64>,
    /// A level worth a line of its own: 100, or zero.
    pub(super) baseline: f64,
    pub(super) axis: Axis,
}

/// Counts of values per interval, intervals ascending and touching.
pub(super) struct Histogram {
    /// Width of an interval.
    pub(super) step: f64,
    /// Start of each interval and how many values fall into it.
    pub(super) bins: Vec<(f64, usize)>,
    /// Expected counts under a normal distribution, as a curve.
    pub(super) normal: Vec<(f64, f64)>,
}

type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Ruler, Ruler>>;
type Drawn = Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl TimeChart<'_> {
    /// Draws the chart once at this size.
    pub(super) fn svg(&self, size: Size, locale: Locale) -> Result<String, ReportError> {
        let values = self.curves.iter().flat_map(|c| c.values.iter().flatten());
        let (low, high) = values.fold((self.baseline, self.baseline), |(low, high), v| (low.min(*v), high.max(*v)));
        let levels = levels(low, high);
        let step = levels[1] - levels[0];
        let vertical = Ruler::enclosing(&levels, |level| match self.axis {
            Axis::Number => locale.number(level, decimals(step)),
            Axis::Percent => locale.percent(level, decimals(step * 100.0)),
        });
        let last = self.dates.len().saturating_sub(1).max(1) as f64;
        let time = Ruler::new(0.0..last, time_ticks(self.dates, size.time_labels, locale));
        draw(size, time, vertical, |plane| self.paint(plane))
    }

    fn paint(&self, plane: &mut Plane<'_, '_>) -> Drawn {
        let (time, vertical) = (plane.x_range(), plane.y_range());
        for band in &self.bands {
            let (left, right) = (band.from as f64, band.to as f64);
            plane.draw_series([Rectangle::new(
                [(left, vertical.start), (right, vertical.end)],
                band.colour.mix(band.opacity).filled(),
            )])?;
        }
        let ends = [time.start, time.end].map(|x| (x, self.baseline));
        plane.draw_series(LineSeries::new(ends, stroke(palette::BASELINE, 1.0)))?;
        if let (Some(level), Some(curve)) = (self.fill_to, self.curves.first()) {
            for run in runs(&curve.values) {
                let (first, last) = (run[0].0, run[run.len() - 1].0);
                let mut outline = vec![(first, level)];
                outline.extend(&run);
                outline.push((last, level));
                plane.draw_series([Polygon::new(outline, curve.colour.mix(0.22).filled())])?;
            }
        }
        // The first curve is the one the page is about: it goes on top.
        for curve in self.curves.iter().rev() {
            for run in runs(&curve.values) {
                plane.draw_series(LineSeries::new(run, stroke(curve.colour, curve.width)))?;
            }
        }
        Ok(())
    }
}

impl Histogram {
    /// Draws the histogram of daily returns once at this size.
    pub(super) fn svg(&self, size: Size, locale: Locale) -> Result<String, ReportError> {
        let tallest = self.bins.iter().map(|(_, count)| *count as f64);
        let tallest = tallest.chain(self.normal.iter().map(|p| p.1));
        let start = self.bins.first().map_or(0.0, |bin| bin.0);
        let end = self.bins.last().map_or(1.0, |bin| bin.0 + self.step);
        let ticks = levels_within(start, end, size.time_labels);
        let digits = decimals(ticks.get(1).map_or(0.01, |second| second - ticks[0]) * 100.0);
        let labels = ticks.iter().map(|r| (*r, locale.percent(*r, digits)));
        let returns = Ruler::new(start..end, labels.collect());
        let counts = Ruler::enclosing(&levels(0.0, tallest.fold(1.0, f64::max)), |count| locale.number(count, 0));
        draw(size, returns, counts, |plane| {
            let gap = self.step * 0.06;
            plane.draw_series(self.bins.iter().map(|&(left, count)| {
                // An interval ends at zero or starts there, never both sides of it.
                let colour = if left < -0.5 * self.step { palette::LOSS } else { palette::PORTFOLIO };
                let corners = [(left + gap, 0.0), (left + self.step - gap, count as f64)];
                Rectangle::new(corners, colour.mix(0.75).filled())
            }))?;
            let normal = self.normal.iter().copied();
            plane.draw_series(LineSeries::new(normal, stroke(palette::LABEL, 1.5)))?;
            Ok(())
        })
    }
}

fn draw(
    size: Size,
    horizontal: Ruler,
    vertical: Ruler,
    paint: impl FnOnce(&mut Plane<'_, '_>) -> Drawn,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    draw_into(&mut svg, size, horizontal, vertical, paint).map_err(ReportError::Chart)?;
    Ok(svg)
}

fn draw_into(
    svg: &mut String,
    size: Size,
    horizontal: Ruler,
    vertical: Ruler,
    paint: impl FnOnce(&mut Plane<'_, '_>) -> Drawn,
) -> Drawn {
    let pixels = (size.width * SCALE, size.height * SCALE);
    let root = SVGBackend::with_string(svg, pixels).into_drawing_area();
    let mut plane = ChartBuilder::on(&root)
        .margin_top(10 * SCALE)
        .margin_right(22 * SCALE)
        .x_label_area_size(28 * SCALE)
        .y_label_area_size(50 * SCALE)
        .build_cartesian_2d(horizontal, vertical)?;
    let font = ("sans-serif", LABEL_SIZE * f64::from(SCALE));
    plane
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(stroke(palette::GRID, 1.0))
        .axis_style(TRANSPARENT)
        .set_tick_mark_size(LabelAreaPosition::Bottom, 7 * SCALE as i32)
        .set_tick_mark_size(LabelAreaPosition::Left, 5 * SCALE as i32)
        .label_style(font.into_font().color(&palette::LABEL))
        .draw()?;
    paint(&mut plane)?;
    root.present()?;
    Ok(())
}

fn stroke(colour: RGBColor, width: f64) -> ShapeStyle {
    let width = (width * f64::from(SCALE)).round() as u32;
    colour.to_rgba().stroke_width(width)
}

/// Stretches of present values, as points.
fn runs(values: &[Option<f64>]) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for (session, value) in values.iter().enumerate() {
        match (value, runs.last_mut()) {
            (Some(value), Some(run)) => run.push((session as f64, *value)),
            (None, Some(run)) if !run.is_empty() => runs.push(Vec::new()),
            _ => {}
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_splits_a_curve() {
        let runs = runs(&[None, Some(1.0), Some(2.0), None, None, Some(3.0)]);
        assert_eq!(runs, [vec![(1.0, 1.0), (2.0, 2.0)], vec![(5.0, 3.0)]]);
    }
}
