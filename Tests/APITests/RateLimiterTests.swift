import Keys
import Settings
import TestSupport
import Testing

@testable import API

@Suite("The limiter of rates")
struct RateLimiterTests {
    private let time = Shared(ContinuousClock.now)

    private func limiter(_ rate: String, burst: Int?, maxBuckets: Int = 100) -> RateLimiter {
        let rate = Rate(rate)!
        let limits = RateLimits(isEnabled: true, search: rate, write: rate, create: rate, burst: burst, connections: 1)
        return RateLimiter(limits, maxBuckets: maxBuckets, now: { [time] in time.current })
    }

    private func key(_ number: Int) -> KeyID {
        let digits = String(number, radix: 16)
        return KeyID(String(repeating: "0", count: 12 - digits.count) + digits)!
    }

    @Test(
        "lets rate × time + burst through, within one, however requests come",
        arguments: [("30/minute", 20), ("60/minute", 2), ("10/minute", 10), ("7/second", 3), ("1/second", 100), ("100000/second", 2)],
        [1, 2, 3])
    func accuracy(rate: (String, Int), seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let limiter = limiter(rate.0, burst: rate.1)
        let interval = try #require(Rate(rate.0)).interval
        // From the first request on: before it, a full bucket gains nothing.
        var (admitted, elapsed) = (limiter.take(.search, of: key(1)) == nil ? 1 : 0, Duration.zero)

        // Always more than may pass, now close together, now in bunches.
        for _ in 0..<20_000 {
            if random.next() % 3 == 0 {
                let step = interval * Int(random.next() % 100) / 100
                elapsed += step
                time.update { $0 += step }
            }
            if limiter.take(.search, of: key(1)) == nil { admitted += 1 }
            let allowed = elapsed / interval + Double(rate.1)
            #expect(Double(admitted) <= allowed + 1.000_001, "seed \(seed)")
        }

        while limiter.take(.search, of: key(1)) == nil { admitted += 1 }
        // Nothing is left unused but the part of a request.
        #expect(Double(admitted) >= elapsed / interval + Double(rate.1) - 1, "seed \(seed)")
    }

    @Test("says how long to wait, and then there is a token")
    func wait() throws {
        let limiter = limiter("30/minute", burst: 2)
        for _ in 0..<2 { #expect(limiter.take(.write, of: key(1)) == nil) }

        let wait = try #require(limiter.take(.write, of: key(1)))
        #expect(wait == .seconds(2))
        time.update { $0 += wait - .nanoseconds(1) }
        #expect(limiter.take(.write, of: key(1)) == .nanoseconds(1))
        time.update { $0 += .nanoseconds(1) }
        #expect(limiter.take(.write, of: key(1)) == nil)
        #expect(limiter.take(.write, of: key(1)) == .seconds(2))
    }

    @Test("counts each key and each class for itself")
    func apart() {
        let limiter = limiter("1/minute", burst: 0)

        for number in 1...3 {
            for kind in RateClass.allCases {
                #expect(limiter.take(kind, of: key(number)) == nil)
                #expect(limiter.take(kind, of: key(number)) != nil)
            }
        }
    }

    @Test("never keeps more buckets than it may, and forgets full ones first")
    func memory() {
        let limiter = limiter("1/second", burst: 9, maxBuckets: 10)
        for number in 0..<5 { _ = limiter.take(.search, of: key(number)) }
        for _ in 0..<10 { _ = limiter.take(.search, of: key(5)) }
        time.update { $0 += .seconds(1) }

        for number in 10..<14 { _ = limiter.take(.search, of: key(number)) }
        #expect(limiter.count == 10)
        _ = limiter.take(.search, of: key(14))
        #expect(limiter.count == 6)
        #expect(limiter.take(.search, of: key(5)) == nil && limiter.take(.search, of: key(5)) != nil)
        for number in 100..<1000 { _ = limiter.take(.search, of: key(number)) }
        #expect(limiter.count == 10)
    }

    @Test("counts every request of many threads once")
    func threads() throws {
        let limiter = limiter("1/minute", burst: 500)

        let admitted = try onThreads(4) { _ in (0..<500).count { _ in limiter.take(.search, of: KeyID("000000000001")!) == nil } }

        #expect(admitted.reduce(0, +) == 500)
    }
}
