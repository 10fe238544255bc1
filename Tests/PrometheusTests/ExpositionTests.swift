import TestSupport
import Testing

@testable import Prometheus

@Suite("The text exposition format")
struct ExpositionTests {
    private func read(_ body: (inout Exposition) -> Void) throws -> PrometheusText {
        var exposition = Exposition()
        body(&exposition)
        return try PrometheusText(exposition.bytes)
    }

    @Test("is as the format's documentation shows it")
    func example() {
        var exposition = Exposition()
        let requests = MetricDescription.counter("http_requests_total", "The total number of HTTP requests.")
        exposition.begin(requests)
        exposition.sample(requests.name, [("method", "post"), ("code", "200")], 1027)
        exposition.sample(requests.name, [("method", "post"), ("code", "400")], 3)
        exposition.begin(.histogram("seconds", "A \\ and\na new line.", limits: [0.05, 0.1, 5]))
        exposition.histogram("seconds", limits: [0.05, 0.1, 5], counts: [24054, 9390, 0, 2], sum: 53423.5)
        exposition.write(.gauge("temperature", ""), -1.5)

        let text = """
            # HELP http_requests_total The total number of HTTP requests.
            # TYPE http_requests_total counter
            http_requests_total{method="post",code="200"} 1027
            http_requests_total{method="post",code="400"} 3
            # HELP seconds A \\\\ and\\na new line.
            # TYPE seconds histogram
            seconds_bucket{le="0.05"} 24054
            seconds_bucket{le="0.1"} 33444
            seconds_bucket{le="5"} 33444
            seconds_bucket{le="+Inf"} 33446
            seconds_sum 53423.5
            seconds_count 33446
            # TYPE temperature gauge
            temperature -1.5

            """

        #expect(String(decoding: exposition.bytes, as: UTF8.self) == text)
        #expect(Exposition.contentType.hasPrefix("text/plain; version=0.0.4"))
    }

    @Test(
        "gives back every label as it was", arguments: ["", "a\"b", "a\\b", "a\nb", "\\n", "\\\"", "{le=\"1\"} 5", "\u{1F6B2} ü", "a,b=c"])
    func labels(value: String) throws {
        let text = try read { exposition in
            exposition.begin(.gauge("g", value.isEmpty ? "h" : value))
            exposition.sample("g", [("l", value), ("m", "2")], 7)
        }

        #expect(text.value("g", ["l": value, "m": "2"]) == 7)
        #expect(text.families["g"]?.help == (value.isEmpty ? "h" : value))
    }

    @Test(
        "gives back every number as it was",
        arguments: [0, 1, -1, 0.1, 1e-9, .leastNonzeroMagnitude, 1.7976931348623157e308, .infinity, -.infinity, 1e22, 123_456_789.125]
            as [Double])
    func numbers(number: Double) throws {
        #expect(try read { $0.write(.gauge("g", "h"), number) }.value("g") == number)
    }

    @Test("has a word for what is no number")
    func notANumber() throws {
        #expect(try read { $0.write(.gauge("g", "h"), .nan) }.value("g")?.isNaN == true)
    }

    @Test("a reader that is strict refuses what the format does not allow")
    func strictReader() {
        for text in [
            "a 1\n", "# TYPE a counter\nb 1\n", "# TYPE a counter\na 1", "# TYPE a counter\na 1\na 2\n", "# TYPE a counter\na -1\n",
            "# TYPE a gauge\na{x=\"1} 2\n", "# TYPE a gauge\na{x=\"\\q\"} 2\n", "# TYPE a gauge\na{9=\"\"} 2\n", "# TYPE a gauge\na x\n",
            "# HELP a b\n# TYPE b gauge\n", "# TYPE a gauge\n# TYPE a gauge\n", "# TYPE a histogram\na_bucket{le=\"1\"} 1\n",
            "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
            "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
        ] {
            #expect(throws: PrometheusText.Malformed.self, "\(text)") { try PrometheusText(Array(text.utf8)) }
        }
    }
}
