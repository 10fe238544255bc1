import Glibc

/// Curves of queries per second against recall, as SVG: panels side by side with a common scale, and a legend.
///
/// Rates are on a logarithmic scale. So is what recall lacks to 1, since the step from .99 to .999 costs about as much as the one
/// from .9 to .99.
struct RecallChart {
    struct Series {
        let name: String
        let points: [(recall: Double, rate: Double)]
    }

    struct Panel {
        let title: String
        let series: [Series]
    }

    let title: String
    let subtitle: String
    let panels: [Panel]

    private let panelWidth = 380.0
    private let panelHeight = 340.0
    private let top = 84.0
    private let left = 64.0
    private let gap = 56.0
    private let legendWidth = 190.0
    private let bottom = 56.0

    /// Okabe and Ito's colours, which those who see colours differently can tell apart, and some greys.
    private static let colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444", "#999999"]
    private static let recallTicks = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999]
    private static let highestRecall = 0.9999

    var svg: String {
        let width = left + Double(panels.count) * (panelWidth + gap) + legendWidth
        let height = top + panelHeight + bottom
        var parts = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(number(width))" height="\(number(height))" viewBox="0 0 \(number(width)) \(number(height))" \
            font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="12" fill="#333">
            <rect width="100%" height="100%" fill="white"/>
            """,
            text(title, x: left, y: 28, "font-size=\"17\" font-weight=\"bold\" fill=\"#111\""),
            text(subtitle, x: left, y: 47, "fill=\"#666\""),
        ]
        for (index, panel) in panels.enumerated() {
            parts.append(draw(panel, x: left + Double(index) * (panelWidth + gap), isFirst: index == 0))
        }
        parts.append(legend(x: left + Double(panels.count) * (panelWidth + gap)))
        return parts.joined(separator: "\n") + "\n</svg>\n"
    }

    // MARK: Scales

    private var points: [(recall: Double, rate: Double)] { panels.flatMap { $0.series.flatMap(\.points) }.filter { $0.rate > 0 } }

    /// From the tick below the lowest recall to the tick above the highest.
    private var recallRange: ClosedRange<Double> {
        let recalls = points.map { min($0.recall, Self.highestRecall) }
        let low = Self.recallTicks.last { $0 <= recalls.min() ?? 0.5 } ?? Self.recallTicks[0]
        let high = Self.recallTicks.first { $0 >= recalls.max() ?? 1 } ?? Self.highestRecall
        return min(low, 0.9)...max(high, 0.99)
    }

    private var rateRange: ClosedRange<Double> {
        let range = recallRange
        let rates = points.filter { $0.recall >= range.lowerBound }.map(\.rate)
        let (low, high) = (rates.min() ?? 1, rates.max() ?? 10)
        return (Self.rateTicks.last { $0 <= low } ?? low)...(Self.rateTicks.first { $0 >= high && $0 > low } ?? high)
    }

    private static let rateTicks: [Double] = (0...8).flatMap { power in [1, 2, 5].map { $0 * pow(10, Double(power)) } }

    private func x(of recall: Double) -> Double {
        func position(_ recall: Double) -> Double { -log10(1 - min(recall, Self.highestRecall)) }
        let (low, high) = (position(recallRange.lowerBound), position(recallRange.upperBound))
        return (position(recall) - low) / (high - low) * panelWidth
    }

    private func y(of rate: Double) -> Double {
        let (low, high) = (log10(rateRange.lowerBound), log10(rateRange.upperBound))
        return panelHeight - (log10(rate) - low) / (high - low) * panelHeight
    }

    // MARK: Drawing

    private func draw(_ panel: Panel, x left: Double, isFirst: Bool) -> String {
        var parts = [
            "<g transform=\"translate(\(number(left)) \(number(top)))\">", text(panel.title, x: 0, y: -10, "font-weight=\"bold\""),
        ]
        for tick in Self.recallTicks where recallRange.contains(tick) {
            parts.append(line(x(of: tick), 0, x(of: tick), panelHeight, "#e4e4e4"))
            let label = tick == Self.highestRecall ? "≥.9999" : String("\(tick)".dropFirst())
            parts.append(text(label, x: x(of: tick), y: panelHeight + 18, "text-anchor=\"middle\""))
        }
        for tick in Self.rateTicks where rateRange.contains(tick) {
            parts.append(line(0, y(of: tick), panelWidth, y(of: tick), "#e4e4e4"))
            if isFirst { parts.append(text(rateLabel(tick), x: -8, y: y(of: tick) + 4, "text-anchor=\"end\"")) }
        }
        parts.append(line(0, panelHeight, panelWidth, panelHeight, "#888"))
        parts.append(line(0, 0, 0, panelHeight, "#888"))
        parts.append(text("recall", x: panelWidth / 2, y: panelHeight + 40, "text-anchor=\"middle\" fill=\"#666\""))
        if isFirst {
            let middle = number(panelHeight / 2)
            parts.append(
                "<text transform=\"translate(-50 \(middle)) rotate(-90)\" text-anchor=\"middle\" fill=\"#666\">queries per second</text>")
        }
        for (index, series) in panel.series.enumerated() { parts.append(draw(series, Self.colours[index % Self.colours.count])) }
        return parts.joined(separator: "\n") + "\n</g>"
    }

    private func draw(_ series: Series, _ colour: String) -> String {
        var shown = series.points.filter { recallRange.lowerBound <= $0.recall && $0.rate > 0 }
        // More work than is needed for the highest recall shown would be a line straight down.
        let best = shown.firstIndex { $0.recall >= Self.highestRecall } ?? shown.count - 1
        shown.removeSubrange(min(best + 1, shown.count)...)
        let radius = shown.count == 1 ? 5 : 3
        let places = shown.map { "\(number(x(of: $0.recall))),\(number(y(of: $0.rate)))" }
        let curve =
            "<polyline points=\"\(places.joined(separator: " "))\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\" stroke-linejoin=\"round\"/>"
        let dots = shown.map {
            "<circle cx=\"\(number(x(of: $0.recall)))\" cy=\"\(number(y(of: $0.rate)))\" r=\"\(radius)\" fill=\"\(colour)\" stroke=\"white\"/>"
        }
        return ([curve] + dots).joined(separator: "\n")
    }

    private func legend(x: Double) -> String {
        var parts: [String] = []
        for (index, series) in (panels.first?.series ?? []).enumerated() {
            let y = top + 10 + Double(index) * 22
            let colour = Self.colours[index % Self.colours.count]
            parts.append(
                "<line x1=\"\(number(x))\" y1=\"\(number(y))\" x2=\"\(number(x + 24))\" y2=\"\(number(y))\" stroke=\"\(colour)\" stroke-width=\"2\"/>"
            )
            parts.append("<circle cx=\"\(number(x + 12))\" cy=\"\(number(y))\" r=\"3\" fill=\"\(colour)\" stroke=\"white\"/>")
            parts.append(text(series.name, x: x + 32, y: y + 4, ""))
        }
        return parts.joined(separator: "\n")
    }

    private func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ colour: String) -> String {
        "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" stroke=\"\(colour)\"/>"
    }

    private func text(_ text: String, x: Double, y: Double, _ attributes: String) -> String {
        let escaped = text.map { $0 == "&" ? "&amp;" : $0 == "<" ? "&lt;" : String($0) }.joined()
        return "<text x=\"\(number(x))\" y=\"\(number(y))\" \(attributes)>\(escaped)</text>"
    }

    private func rateLabel(_ rate: Double) -> String {
        rate >= 1e6 ? "\(Int(rate / 1e6)) M" : rate >= 1e3 ? "\(Int(rate / 1e3)) k" : "\(Int(rate))"
    }

    /// One decimal is a tenth of a pixel.
    private func number(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(Double(tenths) / 10)"
    }
}
