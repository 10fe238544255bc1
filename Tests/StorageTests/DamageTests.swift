import StorageTestSupport
import Testing

@testable import Storage

@Suite("Damaged logs")
struct DamageTests {
    static let count = 12

    @Test("a log cut off anywhere gives the whole records before the cut, and goes on from there")
    func truncation() throws {
        let files = try filesOfLog(records: Self.count)
        let bytes = try #require(files[firstSegment])
        let offsets = recordOffsets(bytes)
        #expect(offsets.count == Self.count + 2)
        let payloads = (1...Self.count + 1).map(payload)

        // Behind the seal there are only zeros: one cut is as good as another.
        for size in Array(SegmentHeader.length...(offsets.last! + 40)) + [bytes.count - 1, bytes.count] {
            let fileSystem = SimulatedFileSystem([firstSegment: Array(bytes[..<size])])
            let whole = min(Self.count, offsets.lastIndex { $0 <= size }!)

            let (log, records) = try openLog(fileSystem)
            let next = try log.append(type: 7, payload: payloads[whole])
            try log.close()

            #expect(records.map(\.payload) == Array(payloads[..<whole]), "cut at \(size)")
            #expect(next.sequence.rawValue == UInt64(whole + 1))
            #expect(try openLog(fileSystem).records.count == whole + 1, "cut at \(size)")
        }
    }

    @Test("a log whose header is cut off is refused, and not started over")
    func truncatedHeader() throws {
        let bytes = try #require(try filesOfLog(records: 2)[firstSegment])

        for size in 0..<SegmentHeader.length {
            let fileSystem = SimulatedFileSystem([firstSegment: Array(bytes[..<size])])

            #expect(throws: StorageError.self) { try openLog(fileSystem) }
            #expect(fileSystem.files[firstSegment]?.count == size)
        }
    }

    @Test("a batch of which only a part was written when the process was killed is cut")
    func partialBatch() throws {
        let bytes = try #require(try filesOfLog(records: Self.count)[firstSegment])
        let offsets = recordOffsets(bytes)
        let start = offsets[Self.count - 3]

        for size in start...offsets[Self.count] {
            // The rest of the file is the zeros that were there before.
            let torn = bytes[..<size] + repeatElement(0, count: bytes.count - size)
            let fileSystem = SimulatedFileSystem([firstSegment: Array(torn)])
            let whole = offsets.lastIndex { $0 <= size }!

            let (log, records) = try openLog(fileSystem)

            #expect(records.count == whole, "killed at \(size)")
            let tornBytes = bytes[offsets[whole]..<size].reversed().drop { $0 == 0 }.count
            #expect(log.recovery.truncatedBytes == UInt64(tornBytes), "killed at \(size)")
            if tornBytes > 0 {
                let copy = try #require(fileSystem.files["data/\(log.recovery.tornFile ?? "")"])
                #expect(copy[...] == bytes[offsets[whole]..<(offsets[whole] + tornBytes)])
                #expect(fileSystem.files[firstSegment]!.dropFirst(offsets[whole]).allSatisfy { $0 == 0 })
            }
            try log.close()
        }
    }

    @Test("a flipped bit in a sealed log never loses a record silently")
    func bitFlips() throws {
        let files = try filesOfLog(records: Self.count)
        let bytes = try #require(files[firstSegment])
        let offsets = recordOffsets(bytes)
        let sealStart = offsets[Self.count]
        let expected = (1...Self.count).map(payload)
        var refused = 0

        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 1 << UInt8(index % 8)
            let fileSystem = SimulatedFileSystem([firstSegment: damaged])

            do {
                let (log, records) = try openLog(fileSystem)
                #expect(records.map(\.payload) == expected, "flip at \(index)")
                // Only the seal and the zeros behind it prove nothing, so only they may be cut.
                #expect(index >= sealStart, "flip at \(index)")
                #expect(log.recovery.truncatedBytes > 0)
                try log.close()
            } catch let error as StorageError {
                refused += 1
                #expect(error.category == .dataRefused)
                #expect(index < sealStart, "flip at \(index): \(error)")
                #expect(fileSystem.files == [firstSegment: damaged], "a refusal changes nothing")
                guard index >= SegmentHeader.length, case .damaged(let file, let offset, let sequence, _, let after) = error else {
                    continue
                }
                let record = offsets.lastIndex { $0 <= index }!
                #expect(file == firstSegment)
                #expect(offset == UInt64(offsets[record]))
                #expect(sequence.rawValue == UInt64(record + 1))
                #expect(after == Self.count - record - 1)
            }
        }

        #expect(refused == sealStart)
    }

    @Test("a flipped bit in a log of two segments never loses a record silently")
    func bitFlipsInTwoSegments() throws {
        let files = try filesOfLog(segments: 2, records: 4)
        let sealStart = recordOffsets(files[secondSegment]!)[4]
        var refused = 0

        for path in [firstSegment, secondSegment] {
            for index in files[path]!.indices {
                var damaged = files
                damaged[path]![index] ^= 1 << UInt8(index % 8)
                let fileSystem = SimulatedFileSystem(damaged)

                do {
                    let records = try openLog(fileSystem).records
                    #expect(records.map(\.payload) == (1...8).map(payload), "flip in \(path) at \(index)")
                    #expect(path == secondSegment && index >= sealStart, "flip in \(path) at \(index)")
                } catch let error as StorageError {
                    refused += 1
                    #expect(error.category == .dataRefused)
                    #expect(fileSystem.files == damaged, "a refusal changes nothing")
                }
            }
        }

        #expect(refused == files[firstSegment]!.count + sealStart)
    }

    @Test("a damaged record is refused when all that follows it is one torn record")
    func tornProof() throws {
        let bytes = try #require(try filesOfLog(records: 3)[firstSegment])
        let offsets = recordOffsets(bytes)
        // Record 2 is damaged. Of record 3, which says that 2 was on disk, only the header is whole; there is no seal.
        var damaged = Array(bytes[..<(offsets[2] + RecordHeader.length + 8)])
        damaged[offsets[1] + 40] ^= 1

        #expect(throws: StorageError.self) { try openLog(SimulatedFileSystem([firstSegment: damaged])) }
    }

    @Test("a damaged seal is refused when a record follows it")
    func damagedSeal() throws {
        let fileSystem = SimulatedFileSystem(try filesOfLog(records: 3))
        let sealed = recordOffsets(fileSystem.files[firstSegment]!)
        let log = try startLog(fileSystem)
        try log.waitUntilCommitted(try log.append(type: 7, payload: payload(4)))
        var killed = fileSystem.files
        try log.close()
        killed[firstSegment]![sealed[3] + 9] ^= 1

        #expect(
            throws: StorageError.damaged(
                file: firstSegment, offset: UInt64(sealed[3]), sequence: SequenceNumber(rawValue: 4),
                reason: "no valid record header, and it had been on disk", recordsAfter: 1)
        ) { try openLog(SimulatedFileSystem(killed)) }
    }

    @Test("records of one batch do not prove each other: a hole among them is cut")
    func holeInUnsyncedBatch() throws {
        let (bytes, _) = segment(
            .first(of: testID),
            [(header(1, synced: 0, count: 4), [1, 2, 3, 4]), (header(2, synced: 0, count: 1), [5]), (header(3, synced: 0, count: 1), [6])])
        let offsets = recordOffsets(bytes)
        var torn = bytes
        for index in offsets[1]..<offsets[2] { torn[index] = 0 }

        let (log, records) = try openLog(SimulatedFileSystem([firstSegment: torn]))

        #expect(records.map(\.payload) == [[1, 2, 3, 4]])
        #expect(log.recovery.truncatedBytes == UInt64(bytes.count - offsets[1]))
        try log.close()
    }

    @Test("a record in a payload, or of another segment, is no record of this one")
    func foreignRecords() throws {
        // What a user might store: a whole record that calls everything synced. The header of the record around it is lost.
        var other = segment(.first(of: DatabaseID(high: 1, low: 2)), [(header(9, synced: 8, count: 0), [])]).bytes
        other.removeFirst(SegmentHeader.length)
        let (bytes, _) = segment(
            .first(of: testID), [(header(1, synced: 0, count: 0), []), (header(2, synced: 0, count: other.count), other)])
        let offsets = recordOffsets(bytes)
        var torn = bytes
        for index in offsets[1]..<(offsets[1] + RecordHeader.length) { torn[index] = 0 }

        let (log, records) = try openLog(SimulatedFileSystem([firstSegment: torn]))

        #expect(records.count == 1)
        try log.close()
    }

    @Test("a payload under the header of another record is no record")
    func exchangedPayloads() throws {
        let records = [1, 2].map { (header(UInt64($0), synced: 0, count: 16), [UInt8](repeating: UInt8($0), count: 16)) }
        var (bytes, _) = segment(.first(of: testID), records)
        let offsets = recordOffsets(bytes)
        let length = offsets[1] - offsets[0]
        for index in RecordHeader.length..<length { bytes.swapAt(offsets[0] + index, offsets[1] + index) }

        let (log, replayed) = try openLog(SimulatedFileSystem([firstSegment: bytes]))

        #expect(replayed.isEmpty)
        try log.close()
    }

    @Test(
        "a length that is not the record's is never believed, read or allocated",
        arguments: [UInt32.max, UInt32.max - 3, 0x8000_0000, (64 << 20) + 1, 64 << 20, 1 << 20, 24, 17, 15, 8, 0] as [UInt32])
    func craftedLengths(length: UInt32) throws {
        // Everything about the header is right, its checksum too; only the length is not that of the payload.
        var (bytes, seed) = SegmentHeader.first(of: testID).encoded()
        let start = bytes.count
        header(1, synced: 0, count: 16).encode(payload: [UInt8](repeating: 7, count: 16), seed: seed, into: &bytes)
        withUnsafeBytes(of: length.littleEndian) { bytes.replaceSubrange((start + 4)..<(start + 8), with: $0) }
        let headerChecksum = bytes[start..<(start + 28)].withUnsafeBytes { seed.headerChecksum($0) }
        withUnsafeBytes(of: headerChecksum.littleEndian) { bytes.replaceSubrange((start + 28)..<(start + 32), with: $0) }

        let (log, records) = try openLog(SimulatedFileSystem([firstSegment: bytes]))

        #expect(records.isEmpty)
        #expect(log.recovery.truncatedBytes > 0)
        try log.close()
    }
}
