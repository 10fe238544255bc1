import Locks

/// All series that there are, by name and labels.
///
/// Looking a series up takes a lock: whoever measures does it once and keeps what it gets, which costs some nanoseconds to change. The
/// series of one name are bounded: label sets beyond `seriesLimit` share one more, whose labels all are `overflow`, so that a label
/// that somebody outside can choose fills neither memory nor Prometheus.
// Sound as Sendable: all mutable state is read and written under `lock`.
package final class Registry: @unchecked Sendable {
    package static let overflow = "overflow"
    private static let overflowedLabelSets = MetricDescription.counter(
        "metrics_overflowed_label_sets_total", "Requests for a series beyond the limit of its metric, which shares one with others.")

    private struct Family {
        let description: MetricDescription
        /// In order of creation.
        var series: [(labels: Labels, series: any Series)] = []
        /// Where a label set's series is.
        var places: [[String]: Int] = [:]
    }

    private let seriesLimit: Int
    private let lock = Lock()
    private var families: [String: Family] = [:]
    private var overflows = 0

    /// - Parameters:
    ///   - descriptions: of what will be measured. What is not among them has no help, and as a histogram the usual limits.
    ///   - seriesLimit: series of one name, without the one that others share.
    package init(_ descriptions: [MetricDescription] = [], seriesLimit: Int = 1000) {
        precondition(seriesLimit > 0, "a metric has a series")
        self.seriesLimit = seriesLimit
        for description in descriptions {
            precondition(families[description.name] == nil, "\(description.name) is described twice")
            families[description.name] = Family(description: description)
        }
    }

    package func counter(_ name: String, _ labels: [(String, String)] = []) -> CounterSeries {
        series(name, .counter, labels) { _ in CounterSeries() }
    }

    /// As a gauge, or as a counter that need not be whole.
    package func number(_ name: String, _ kind: MetricDescription.Kind = .gauge, _ labels: [(String, String)] = []) -> NumberSeries {
        series(name, kind, labels) { _ in NumberSeries() }
    }

    package func histogram(_ name: String, _ labels: [(String, String)] = []) -> HistogramSeries {
        series(name, .histogram, labels) { HistogramSeries(limits: $0.limits) }
    }

    /// The series under this name and these labels, the same for everybody who asks. A name has one kind and one type of series: anything
    /// else is a mistake of ours.
    private func series<Wanted: Series>(
        _ name: String, _ kind: MetricDescription.Kind, _ labels: [(String, String)], make: (MetricDescription) -> Wanted
    ) -> Wanted {
        let name = Name.metric(name)
        var labels = Name.labels(labels)
        return lock.withLock {
            var family = families[name] ?? Family(description: .undescribed(name, kind))
            precondition(family.description.kind == kind, "\(name) is a \(family.description.kind.rawValue)")
            var key = labels.flatMap { [$0.name, $0.value] }
            if family.places[key] == nil, family.series.count >= seriesLimit {
                overflows += 1
                labels = labels.map { ($0.name, Self.overflow) }
                key = labels.flatMap { [$0.name, $0.value] }
            }
            if let place = family.places[key] {
                guard let series = family.series[place].series as? Wanted else { preconditionFailure("\(name) is kept as another type") }
                return series
            }
            let series = make(family.description)
            family.places[key] = family.series.count
            family.series.append((labels, series))
            families[name] = family
            return series
        }
    }

    /// Forgets a series; whoever still holds it measures for nobody. Cost: linear in the series of all names.
    package func remove(_ series: AnyObject) {
        lock.withLock {
            for (name, family) in families {
                guard let index = family.series.firstIndex(where: { $0.series === series }) else { continue }
                var family = family
                family.series.remove(at: index)
                family.places = family.places.filter { $0.value != index }.mapValues { $0 > index ? $0 - 1 : $0 }
                families[name] = family
            }
        }
    }

    /// Writes all of them as they are, in the order of their names.
    package func write(to exposition: inout Exposition) {
        let (families, overflows) = lock.withLock { (self.families, self.overflows) }
        for (name, family) in families.sorted(by: { $0.key < $1.key }) where !family.series.isEmpty {
            exposition.begin(family.description)
            for (labels, series) in family.series { series.write(name, labels, to: &exposition) }
        }
        exposition.write(Self.overflowedLabelSets, overflows)
    }
}

extension MetricDescription {
    fileprivate static func undescribed(_ name: String, _ kind: Kind) -> MetricDescription {
        switch kind {
        case .counter: .counter(name, "")
        case .gauge: .gauge(name, "")
        case .histogram: .histogram(name, "")
        }
    }
}
