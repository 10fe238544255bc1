extension LogFiles {
    /// Where a segment ends, for the check of the next one.
    package struct End: Sendable {
        let number: UInt64
        let lastSequence: SequenceNumber
        let chain: UInt32
        let databaseID: DatabaseID
    }

    /// Reads a segment to its end and checks that its records are intact, follow each other, and follow the segment before.
    ///
    /// - Parameters:
    ///   - isLast: whether it may have a torn tail, which a start cuts off.
    ///   - end: where the segment before it ends, if that was checked and whole; gets the end of this one.
    package func check(_ name: String, isLast: Bool, after end: inout End?) -> CheckedComponent {
        var component = CheckedComponent(name, .segment)
        let previous = end
        end = nil
        do throws(StorageError) {
            let scan = try scan(name)
            component.bytes = scan.size
            if let flaw = scan.flaw { component.report(flaw) }
            if let header = scan.header, let previous, header.number == previous.number + 1 {
                check(header, follows: previous, &component)
            }
            let last = try check(scan, isLast: isLast, &component)
            try scan.close()
            guard component.damaged == 0, component.figure(.tornBytes) == 0, let header = scan.header else { return component }
            end = End(number: header.number, lastSequence: last, chain: scan.chain, databaseID: header.databaseID)
        } catch {
            component.report(error.description)
        }
        return component
    }

    private func check(_ header: SegmentHeader, follows previous: End, _ component: inout CheckedComponent) {
        if header.databaseID != previous.databaseID {
            component.report("it belongs to database \(header.databaseID), the segment before it to \(previous.databaseID)")
        } else if header.previousLastSequence != previous.lastSequence || header.previousChecksum != previous.chain {
            component.report("it does not follow the segment before it, which ends with record \(previous.lastSequence)")
        }
    }

    /// Returns the last record.
    private func check(
        _ scan: SegmentScan, isLast: Bool, _ component: inout CheckedComponent
    ) throws(StorageError) -> SequenceNumber {
        var last = scan.header?.previousLastSequence
        component.count(.records, 0)
        component.count(.seals, 0)
        while let entry = try scan.next() {
            switch entry.content {
            case .record(let record):
                if let last, record.sequence != last.next {
                    component.report("record \(record.sequence) at offset \(entry.offset) stands where \(last.next) should")
                }
                last = record.sequence
                component.count(.records)
            case .seal(let sequence):
                if let last, sequence != last { component.report("a seal of record \(sequence) at offset \(entry.offset), behind \(last)") }
                component.count(.seals)
            case .damage(let reason, let record, _):
                if isLast, component.damaged == 0, let place = last, try scan.isTornTail(entry, after: place) {
                    component.count(.tornBytes, Int(scan.contentEnd - entry.offset))
                    return place
                }
                component.report("\(entry.bytes) bytes at offset \(entry.offset): \(reason)")
                // What it should have been is told already; what follows is held against it.
                last = record?.sequence
            case .unused:
                break
            }
        }
        return last ?? .zero
    }
}
