import CoreMetrics
import Locks
import TestSupport
import Testing

@testable import Prometheus

@Suite("A registry of metrics")
struct RegistryTests {
    private func text(of registry: Registry) throws -> PrometheusText {
        var exposition = Exposition()
        registry.write(to: &exposition)
        return try PrometheusText(exposition.bytes)
    }

    @Test("has what swift-metrics measures, each kind as Prometheus knows it")
    func kinds() throws {
        let registry = Registry([.counter("requests", "So many."), .histogram("latency", "So long.", limits: [0.001, 1])])
        let factory = RegistryFactory(registry)

        Counter(label: "requests", dimensions: [("route", "/")], factory: factory).increment(by: 3)
        FloatingPointCounter(label: "cost", factory: factory).increment(by: 1.25)
        let meter = Meter(label: "depth", factory: factory)
        meter.set(5)
        meter.decrement(by: 2)
        Gauge(label: "level", factory: factory).record(0.5)
        let share = Meter(label: "share", factory: factory)
        share.set(0.25)
        Gauge(label: "rows", factory: factory).record(8)
        let spent = FloatingPointCounter(label: "spent", factory: factory)
        spent.increment(by: 2)
        spent.reset()
        Recorder(label: "size", factory: factory).record(Int64(7))
        let timer = Timer(label: "latency", factory: factory)
        timer.recordNanoseconds(500_000)
        timer.recordSeconds(2)
        timer.recordNanoseconds(-1)

        let text = try text(of: registry)
        #expect(text.families["requests"]?.help == "So many.")
        #expect(text.value("requests", ["route": "/"]) == 3)
        #expect(text.families["cost"]?.type == "counter" && text.value("cost") == 1.25)
        #expect(text.families["depth"]?.type == "gauge" && text.value("depth") == 3)
        #expect(text.value("level") == 0.5 && text.value("share") == 0.25 && text.value("rows") == 8 && text.value("spent") == 0)
        #expect(text.families["size"]?.type == "histogram" && text.value("size_sum") == 7)
        #expect(text.value("latency_bucket", ["le": "0.001"]) == 2)
        #expect(text.value("latency_bucket", ["le": "1"]) == 2)
        #expect(text.value("latency_count") == 3)
        #expect(text.value("latency_sum") == 2.0005)
    }

    @Test("gives everybody the same series for the same name and labels, and other labels another")
    func sameSeries() throws {
        let registry = Registry()

        let one = registry.counter("c", [("a", "1"), ("b", "2")])

        #expect(registry.counter("c", [("a", "1"), ("b", "2")]) === one)
        #expect(registry.counter("c", [("a", "1"), ("b", "3")]) !== one)
        #expect(registry.counter("d", [("a", "1"), ("b", "2")]) !== one)
        one.increment(by: 2)
        one.reset()
        #expect(one.value == 0)
        #expect(registry.number("n") === registry.number("n"))
    }

    @Test("a value that is at a limit is in its bucket, one that is no number in the last")
    func limits() throws {
        let registry = Registry([.histogram("h", "", limits: [1, 2])])
        let histogram = registry.histogram("h")

        for value in [1, 1.0001, 2, 3, -.infinity, .infinity] as [Double] { histogram.record(value) }
        let before = try text(of: registry)
        histogram.record(Double.nan)

        #expect(before.value("h_bucket", ["le": "1"]) == 2)
        #expect(before.value("h_bucket", ["le": "2"]) == 4)
        #expect(before.value("h_bucket", ["le": "+Inf"]) == 6)
        #expect(try text(of: registry).value("h_count") == 7)
    }

    @Test("names that the format does not know become ones that it does")
    func names() throws {
        let registry = Registry()
        registry.counter("http.requests-total", [("status code", "200"), ("le", "1"), ("status code", "500")]).increment(by: 1)
        registry.counter("9").increment(by: 2)
        registry.counter("", [("", "x")]).increment(by: 3)
        registry.counter("a:b", [("a:b", "y")]).increment(by: 4)

        let text = try text(of: registry)

        #expect(text.samples("http_requests_total").map(\.labels) == [["status_code": "200", "le_": "1"]])
        #expect(text.value("_9") == 2)
        #expect(text.value("_", ["_": "x"]) == 3)
        #expect(text.value("a:b", ["a_b": "y"]) == 4)
    }

    @Test("label sets beyond the limit share one series, and nothing that was counted is lost")
    func overflow() throws {
        let registry = Registry(seriesLimit: 10)

        for number in 0..<1000 { registry.counter("c", [("client", "\(number)")]).increment(by: 1) }
        registry.counter("c", [("client", "3")]).increment(by: 1)
        registry.counter("other", [("client", "999")]).increment(by: 1)

        let text = try text(of: registry)
        let samples = text.samples("c")
        #expect(samples.count == 11)
        #expect(samples.reduce(0) { $0 + $1.value } == 1001)
        #expect(text.value("c", ["client": "3"]) == 2)
        #expect(text.value("c", ["client": Registry.overflow]) == 990)
        #expect(text.value("other", ["client": "999"]) == 1)
        #expect(text.value("metrics_overflowed_label_sets_total") == 990)
    }

    @Test("a series that is destroyed is gone, and the others are where they were")
    func removal() throws {
        let registry = Registry()
        let factory = RegistryFactory(registry)
        let counters = (0..<4).map { Counter(label: "c", dimensions: [("n", "\($0)")], factory: factory) }
        let others: [() -> Void] = [
            Meter(label: "m", factory: factory).destroy, FloatingPointCounter(label: "f", factory: factory).destroy,
            Recorder(label: "r", factory: factory).destroy, Timer(label: "t", factory: factory).destroy,
        ]

        counters[1].destroy()
        for destroy in others { destroy() }

        for (number, counter) in counters.enumerated() where number != 1 { counter.increment(by: number + 1) }
        registry.counter("c", [("n", "3")]).increment(by: 10)
        let text = try text(of: registry)
        #expect(text.samples("c").map(\.value) == [1, 3, 14])
        #expect(Set(text.families.keys) == ["c", "metrics_overflowed_label_sets_total"])
    }

    @Test("many threads lose no count, and what is read meanwhile is always in form")
    func concurrency() throws {
        let registry = Registry([.histogram("h", "", limits: [0.25, 0.5, 0.75])], seriesLimit: 6)
        let (threadCount, rounds) = (8, 20_000)
        let threads = try (0..<threadCount).map { number in
            try Thread("test-\(number)") {
                let (histogram, number) = (registry.histogram("h"), registry.number("n"))
                for round in 0..<rounds {
                    registry.counter("c", [("n", "\(round % 8)")]).increment(by: 1)
                    histogram.record(Double(round % 4) / 4)
                    number.increment(by: 0.5)
                }
            }
        }
        var readings = 0
        repeat {
            _ = try text(of: registry)
            readings += 1
        } while readings < 20
        for thread in threads { thread.join() }

        let text = try text(of: registry)
        let total = Double(threadCount * rounds)
        #expect(text.samples("c").count == 7)
        #expect(text.samples("c").reduce(0) { $0 + $1.value } == total)
        #expect(text.value("h_count") == total)
        #expect(text.value("h_bucket", ["le": "0.25"]) == total / 2)
        #expect(text.value("h_sum") == total * 0.375)
        #expect(text.value("n") == total / 2)
    }
}
