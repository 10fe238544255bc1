extension Snapshots {
    /// Whether `CURRENT` is as it was written and names a snapshot that there is.
    package func checkCurrent() throws(StorageError) -> CheckedComponent {
        var component = CheckedComponent(Self.currentName, .current)
        let names = try names()
        switch try current() {
        case .absent: if !names.isEmpty { component.report("it is missing, and there are snapshots") }
        case .damaged: component.report("it does not match its checksum")
        case .names(let name): if !names.contains(name) { component.report("it names \(name), which is missing") }
        }
        return component
    }

    /// Reads a snapshot to its end, or as far as it can be read, and closes it.
    ///
    /// - Parameter reader: of this snapshot, nothing read yet; or why there is none.
    package static func check(_ name: String, _ reader: Result<SnapshotReader, StorageError>) -> CheckedComponent {
        var component = CheckedComponent(name, .snapshot)
        do throws(StorageError) {
            let reader = try reader.get()
            component.bytes = reader.size
            while let section = try reader.next() {
                component.count(.sections)
                if !section.isIntact { component.report("the section at offset \(section.offset) does not match its checksum") }
            }
            if Self.sequence(name: name) != reader.sequence { component.report("it is of record \(reader.sequence)") }
            try reader.close()
        } catch {
            component.report(error.description)
        }
        return component
    }
}
