import CoreMetrics
import Synchronization

/// One line of numbers under a name and its labels. Changed from any thread, without a lock and without memory being allocated.
protocol Series: AnyObject, Sendable {
    func write(_ name: String, _ labels: Labels, to exposition: inout Exposition)
}

/// A whole number that grows.
package final class CounterSeries: Series, CounterHandler {
    private let count = Atomic<Int>(0)

    package var value: Int { count.load(ordering: .relaxed) }

    package func increment(by amount: Int64) { count.wrappingAdd(Int(amount), ordering: .relaxed) }

    package func reset() { count.store(0, ordering: .relaxed) }

    func write(_ name: String, _ labels: Labels, to exposition: inout Exposition) { exposition.sample(name, labels, value) }
}

/// A number that is set, or grows and shrinks.
package final class NumberSeries: Series, MeterHandler, FloatingPointCounterHandler, RecorderHandler {
    private let number = AtomicDouble()

    package var value: Double { number.value }

    package func set(_ value: Int64) { number.set(Double(value)) }
    package func set(_ value: Double) { number.set(value) }
    package func record(_ value: Int64) { number.set(Double(value)) }
    package func record(_ value: Double) { number.set(value) }
    package func increment(by amount: Double) { number.add(amount) }
    package func decrement(by amount: Double) { number.add(-amount) }
    package func reset() { number.set(0) }

    func write(_ name: String, _ labels: Labels, to exposition: inout Exposition) { exposition.sample(name, labels, value) }
}

/// How many values are not above each of some limits, and their sum.
// Sound as Sendable: the counts are atomic, at an address that stays from `init` to `deinit`.
package final class HistogramSeries: Series, TimerHandler, RecorderHandler, @unchecked Sendable {
    private let limits: [Double]
    /// The values in each bucket alone; the last has no limit.
    private let counts: UnsafeMutablePointer<Atomic<Int>>
    private let sum = AtomicDouble()

    init(limits: [Double]) {
        self.limits = limits
        counts = .allocate(capacity: limits.count + 1)
        for bucket in 0...limits.count { (counts + bucket).initialize(to: Atomic(0)) }
    }

    deinit {
        counts.deinitialize(count: limits.count + 1)
        counts.deallocate()
    }

    /// Seconds, for a histogram of seconds. A clock that was set back makes no time negative.
    package func recordNanoseconds(_ duration: Int64) { record(Double(max(0, duration)) / 1e9) }

    package func record(_ value: Int64) { record(Double(value)) }

    package func record(_ value: Double) {
        // So few that a search by halves is no faster. What is no number is above all of them.
        var bucket = 0
        while bucket < limits.count, !(value <= limits[bucket]) { bucket += 1 }
        counts[bucket].wrappingAdd(1, ordering: .relaxed)
        sum.add(value)
    }

    func write(_ name: String, _ labels: Labels, to exposition: inout Exposition) {
        let counts = (0...limits.count).map { self.counts[$0].load(ordering: .relaxed) }
        exposition.histogram(name, labels, limits: limits, counts: counts, sum: sum.value)
    }
}

/// A number that several threads add to.
private struct AtomicDouble: ~Copyable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}
