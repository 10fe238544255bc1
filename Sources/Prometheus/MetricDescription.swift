/// What is measured under one name. A registry is told of it before anybody measures.
package struct MetricDescription: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// What only grows, from 0 at the start of the process.
        case counter
        case gauge
        /// How many values are not above each of some limits.
        case histogram
    }

    package let name: String
    package let kind: Kind
    /// One line for people.
    package let help: String
    /// The upper limits of a histogram's buckets, ascending; one without a limit follows the last.
    package let limits: [Double]

    private init(_ name: String, _ kind: Kind, _ help: String, limits: [Double] = []) {
        precondition(Name.metric(name) == name, "\(name) is no name of a metric")
        precondition(zip(limits, limits.dropFirst()).allSatisfy { $0 < $1 }, "limits ascend")
        self.name = name
        self.kind = kind
        self.help = help
        self.limits = limits
    }

    package static func counter(_ name: String, _ help: String) -> MetricDescription { MetricDescription(name, .counter, help) }

    package static func gauge(_ name: String, _ help: String) -> MetricDescription { MetricDescription(name, .gauge, help) }

    package static func histogram(_ name: String, _ help: String, limits: [Double] = secondsOfRequests) -> MetricDescription {
        MetricDescription(name, .histogram, help, limits: limits)
    }

    /// From a look-up by id to a request that nginx is about to give up, in seconds.
    package static let secondsOfRequests = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]
}
