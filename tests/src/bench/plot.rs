//! Pictures of figures and of growth, as SVG.

use std::path::Path;

use plotters::prelude::{
    BLACK, ChartBuilder, Color, Cross, IntoDrawingArea, IntoLogRange, LineSeries, Palette,
    Palette99, PathElement, RGBColor, Rectangle, SVGBackend, Text, TextStyle, WHITE,
};
use plotters::style::IntoFont;

use super::{Figure, Outcome};

const MET: RGBColor = RGBColor(46, 125, 50);
const MISSED: RGBColor = RGBColor(198, 40, 40);
const PLAIN: RGBColor = RGBColor(69, 90, 100);
const ROW_PX: i32 = 26;
const LABEL_PX: i32 = 420;
const BAR_PX: i32 = 420;

/// Draws the ratio of each figure as a bar on a logarithmic scale, with a line at 1 and a mark
/// at the goal.
///
/// # Errors
/// A file that cannot be written.
pub fn bars(path: &Path, title: &str, figures: &[Figure]) -> Outcome<()> {
    let rows = i32::try_from(figures.len())?;
    let (width, height) = (LABEL_PX + BAR_PX + 120, ROW_PX * (rows + 2));
    let root = SVGBackend::new(path, (width.unsigned_abs(), height.unsigned_abs()));
    let root = root.into_drawing_area();
    root.fill(&WHITE)?;
    let text = TextStyle::from(("sans-serif", 13).into_font()).color(&BLACK);
    let caption = format!("{title}: ratio of each figure (right of the line is better)");
    root.draw(&Text::new(caption, (10, 6), text.clone()))?;
    let x = |ratio: f64| {
        // 0.1 to 100, a third of the width for each power of ten.
        let share = (ratio.clamp(0.1, 100.0).log10() + 1.0) / 3.0;
        #[expect(clippy::cast_possible_truncation, reason = "a share of a few hundred pixels")]
        let px = (share * f64::from(BAR_PX)) as i32;
        LABEL_PX + px
    };
    for (row, figure) in (1..).zip(figures) {
        let top = row * ROW_PX;
        let color = match figure.met() {
            Some(true) => MET,
            Some(false) => MISSED,
            None => PLAIN,
        };
        let label = format!("{} against {}", figure.case, figure.against);
        root.draw(&Text::new(label, (10, top + 4), text.clone()))?;
        let (from, to) = (x(1.0).min(x(figure.ratio)), x(1.0).max(x(figure.ratio)));
        root.draw(&Rectangle::new([(from, top + 4), (to, top + 18)], color.filled()))?;
        let ratio = format!("{:.2} x", figure.ratio);
        root.draw(&Text::new(ratio, (LABEL_PX + BAR_PX + 10, top + 4), text.clone()))?;
        if let Some(goal) = figure.goal {
            let mark = [(x(goal), top + 1), (x(goal), top + 21)];
            root.draw(&PathElement::new(mark, BLACK.stroke_width(2)))?;
        }
    }
    let line = [(x(1.0), ROW_PX - 4), (x(1.0), (rows + 1) * ROW_PX)];
    root.draw(&PathElement::new(line, BLACK.mix(0.4)))?;
    root.present()?;
    Ok(())
}

/// A cost measured at several sizes.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Curve {
    /// What was measured.
    pub name: String,
    /// Size and cost, both above 0, by size.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// A curve through `points`.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points }
    }

    /// The slope on logarithmic scales between the ends: 0 is flat, 1 is linear.
    pub fn slope(&self) -> Option<f64> {
        let (first, last) = (self.points.first()?, self.points.last()?);
        let (run, rise) = ((last.0 / first.0).ln(), (last.1 / first.1).ln());
        (run > 0.0).then(|| rise / run)
    }

    /// The growth as figures: the cost at each size beside that at the size before, and what ten times
    /// the size costs beside what it should by the slope `should`, where one is known.
    pub fn figures(&self, unit: &'static str, axis: &str, should: Option<f64>) -> Vec<Figure> {
        let steps = self.points.iter().zip(self.points.iter().skip(1));
        let steps = steps.map(|((before, cost), (size, grown))| {
            let case = format!("{}, at {size} {axis}", self.name);
            Figure::costs(case, unit, &format!("at {before}"), &[(*grown, *cost)])
        });
        let tenfold = self.slope().zip(should).map(|(slope, should)| {
            let case = format!("{}, with ten times the {axis}", self.name);
            let growth = [(10_f64.powf(slope), 10_f64.powf(should))];
            Figure::costs(case, "times the cost", "as it should be", &growth)
        });
        steps.chain(tenfold).collect()
    }
}

/// Draws curves on logarithmic scales.
///
/// # Errors
/// No point at all, or a file that cannot be written.
pub fn curves(path: &Path, title: &str, x: &str, y: &str, curves: &[Curve]) -> Outcome<()> {
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let least = points().reduce(|a, b| (a.0.min(b.0), a.1.min(b.1))).ok_or("nothing to draw")?;
    let most = points().reduce(|a, b| (a.0.max(b.0), a.1.max(b.1))).ok_or("nothing to draw")?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let root = SVGBackend::new(path, (900, 540)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(80)
        .build_cartesian_2d(
            (least.0 * 0.8..most.0 * 1.25).log_scale(),
            (least.1 * 0.8..most.1 * 1.25).log_scale(),
        )?;
    chart.configure_mesh().x_desc(x).y_desc(y).draw()?;
    for (index, curve) in curves.iter().enumerate() {
        let color = Palette99::pick(index).to_rgba();
        let line = LineSeries::new(curve.points.iter().copied(), color.stroke_width(2));
        chart
            .draw_series(line)?
            .label(curve.name.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        chart.draw_series(curve.points.iter().map(|point| Cross::new(*point, 3, color)))?;
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}
