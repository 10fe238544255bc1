import TestSupport
import Testing

/// As many libraries as a service with one for each of its customers has.
@Suite("Faults: many libraries", .serialized)
struct ManyLibrariesTests {
    @Test("an empty one takes 50 KB at most, a start with all of them five seconds, a page of them a tenth of one, and each no descriptor")
    func many() throws {
        let libraries = count("QUIRE_LIBRARIES", standard: 500)
        let quire = try QuireInstance(noModel)
        let body = #"{"name":"l","embedding_dimension":8}"#
        _ = try quire.createLibrary(body)
        let responder = try #require(quire.responder)
        let before = try Footprint(of: responder)

        let made = try onThreads(4) { _ in try (0..<libraries / 4).map { _ in try quire.createLibrary(body) } }.flatMap { $0 }
        let after = try Footprint(of: responder)
        let each = (after.bytes - before.bytes) / made.count
        #expect(each <= 50 << 10)
        #expect(after.descriptors <= before.descriptors + 2)

        var chance = SplitMix(seed: seed("many libraries", standard: 57))
        for library in made {
            let document = chance.document(chunks: 20, dimension: Load.dimension)
            #expect(try quire.put(document, in: library).status == 201)
        }
        var pages: [Duration] = []
        for _ in 0..<200 {
            let start = ContinuousClock.now
            #expect(try quire.get("/v1/libraries?limit=50").json.array?.count == 50)
            pages.append(ContinuousClock.now - start)
        }
        #expect(pages.percentile99 <= .milliseconds(100))

        let start = ContinuousClock.now
        try quire.killResponder(restartingAtOnce: true)
        let time = ContinuousClock.now - start
        #expect(time <= .seconds(5))
        for library in made.prefix(made.count / 2) { #expect(try quire.delete("/v1/libraries/\(library)").status == 204) }
        #expect(try quire.get("/v1/libraries/\(made[made.count / 2])").json["num_chunks"] == 20)
        #expect(try PrometheusText(try quire.get("/metrics").body).value("quire_libraries") == Double(made.count - made.count / 2 + 1))
        report(
            "\(made.count) libraries: memory of an empty one, start, p99 of a page of 50",
            "\(each >> 10) KiB, \(time.inMilliseconds) ms, \(pages.percentile99.inMilliseconds) ms")
    }
}
