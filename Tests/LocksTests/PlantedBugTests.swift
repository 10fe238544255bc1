import FoundationEssentials
import TestSupport
import Testing

/// Bugs that a sanitizer must report, to show that its silence about the other tests means something. `Scripts/test --faults` asks for
/// one by QUIRE_PLANTED_BUG, and fails unless this suite does.
@Suite("Planted bugs") struct PlantedBugTests {
    @Test("two threads that share a variable without a lock", .enabled(if: isPlanted("thread")))
    func dataRace() throws {
        let counter = UnsafeCounter()
        try onThreads(2) { _ in
            for _ in 0..<1000 { counter.value += 1 }
        }
        #expect(counter.value > 0)
    }

    @Test("a write behind the end of what was allocated", .enabled(if: isPlanted("address")))
    func overflow() {
        let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 8)
        defer { bytes.deallocate() }
        let end = bytes.baseAddress! + bytes.count

        end.pointee = 1

        #expect(end.pointee == 1)
    }
}

private func isPlanted(_ bug: String) -> Bool { ProcessInfo.processInfo.environment["QUIRE_PLANTED_BUG"] == bug }

/// `@unchecked Sendable` is the bug.
private final class UnsafeCounter: @unchecked Sendable {
    var value = 0
}
