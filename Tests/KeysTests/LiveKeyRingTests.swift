import Glibc
import Storage
import StorageTestSupport
import TestSupport
import Testing

@testable import Keys

@Suite("The key ring of a running server")
struct LiveKeyRingTests {
    private final class Place: Sendable {
        let directory = TemporaryDirectory()
        let time = Shared(ContinuousClock.now)
        let states = Shared<[LiveKeyRing.State]>([])

        var file: KeyRingFile { KeyRingFile(directory / "keys.json") }

        func start() -> LiveKeyRing {
            LiveKeyRing(file, now: { [time] in time.current }, changed: { [states] state in states.update { $0.append(state) } })
        }

        func wait(_ duration: Duration) { time.update { $0 += duration } }

        func add() throws { _ = try file.update { ring throws(KeysError) in try ring.create(name: "k", right: .read, at: noon) } }
    }

    @Test("is that of the file, looked at once a second at most")
    func freshness() throws {
        let place = Place()
        let live = place.start()
        #expect(try live.current.get().isEmpty)

        try place.add()
        place.wait(.milliseconds(999))
        #expect(try live.current.get().isEmpty)
        place.wait(.milliseconds(1))
        #expect(try live.current.get().count == 1)
        unlink(place.file.path)
        #expect(try live.current.get().count == 1)
        place.wait(.seconds(1))
        #expect(try live.current.get().isEmpty)

        #expect(place.states.current.map { (try? $0.get().count) ?? -1 } == [0, 1, 0])
    }

    @Test("sees a change that leaves the file's size and time as they were")
    func unsettled() throws {
        let place = Place()
        try place.add()
        let live = place.start()
        let key = try #require(try live.current.get().keys.first)
        let text = String(decoding: try contents(of: place.file.path), as: UTF8.self)
        // Into the same file, most likely within the grain of its clock.
        try place.directory.write("keys.json", text.replacing(key.id.description, with: "000000000000"))

        place.wait(.seconds(1))

        #expect(try live.current.get().keys.map(\.id.description) == ["000000000000"])
    }

    @Test("is none while the file is damaged, whatever it was before, and is told of both once")
    func damage() throws {
        let place = Place()
        try place.add()
        let live = place.start()
        let whole = try contents(of: place.file.path)

        try place.directory.write("keys.json", "{")
        for _ in 0..<3 {
            place.wait(.seconds(1))
            #expect(live.current == .failure(.damaged(path: place.file.path, reason: "it is not well-formed JSON")))
        }
        try place.directory.write("keys.json", whole)
        chmod(place.file.path, 0o666)
        place.wait(.seconds(1))
        #expect(live.current == .failure(.exposed(path: place.file.path)))
        chmod(place.file.path, 0o600)
        place.wait(.seconds(1))

        #expect(try live.current.get().count == 1)
        #expect(place.states.current.count == 4)
    }

    @Test("starts with what is wrong with the file, and recovers")
    func damagedStart() throws {
        let place = Place()
        symlink("keys.json", place.file.path)
        let live = place.start()
        #expect(live.current == .failure(.storage(.ioFailed(operation: "stat", path: place.file.path, errno: ELOOP))))

        unlink(place.file.path)
        place.wait(.seconds(1))

        #expect(live.current == .success(KeyRing()))
    }

    @Test("is looked at by one at a time, who holds up nobody else, and undoes nothing that was found later")
    func slowLook() throws {
        let isHeld = Shared(false)
        let held = Shared(0)
        let disk = SimulatedFileSystem { call in
            guard call.operation == .read, isHeld.current else { return nil }
            held.update { $0 += 1 }
            isHeld.wait { !$0 }
            return nil
        }
        let directory = TemporaryDirectory()
        // The lock is a real file.
        let file = KeyRingFile(directory / "keys.json", on: disk)
        func add() throws { _ = try file.update { ring throws(KeysError) in try ring.create(name: "k", right: .read, at: noon) } }
        let time = Shared(ContinuousClock.now)
        try add()
        let live = LiveKeyRing(file, now: { time.current })
        try add()

        isHeld.set(true)
        time.update { $0 += .seconds(1) }
        let slow = Background { try live.current.get().count }
        held.wait { $0 == 1 }
        time.update { $0 += .seconds(1) }
        #expect(try live.current.get().count == 1)
        #expect(held.current == 1)
        isHeld.set(false)

        #expect(try slow.value() == 2)
        // It is due since the second second.
        try add()
        #expect(try live.current.get().count == 3)
    }

    @Test("is read by many threads while it changes")
    func concurrency() throws {
        let place = Place()
        let live = place.start()

        let counts = try onThreads(4) { index in
            var last = 0
            for _ in 0..<20 {
                if index == 0 { try place.add() }
                place.wait(.seconds(1))
                let count = try live.current.get().count
                // Keys are only added, so a look that was slow would show as one that is gone.
                guard count >= last else { return -1 }
                last = count
            }
            return last
        }

        #expect(!counts.contains(-1))
        place.wait(.seconds(1))
        #expect(try live.current.get().count == 20)
    }
}
