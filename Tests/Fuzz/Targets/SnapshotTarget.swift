import Database
import Storage
import StorageTestSupport
import VectorSearch

/// Proves that a start takes nothing in a snapshot on trust: whatever its bytes, it is refused without a change of any file, or loaded
/// into a state that can be read and searched whole, and that the snapshot which is then written gives again.
struct SnapshotTarget: FuzzTarget {
    func run(_ input: [UInt8], in directory: String, hasPlantedBug: Bool) throws {
        let snapshot = SnapshotFile(input)
        guard snapshot.isWhole else { return }
        let digits = String(snapshot.sequence)
        let name = "snapshot-\(String(repeating: "0", count: max(0, 16 - digits.count)))\(digits).snap"
        let number: UInt64 = snapshot.sequence == 0 ? 1 : 2
        let fileSystem = SimulatedFileSystem([
            "\(directory)/\(name)": input,
            "\(directory)/wal-000000000000000\(number).log": SegmentFile.empty(
                number: number, after: snapshot.sequence, of: snapshot.databaseID),
        ])
        try checkStarts(fileSystem, in: directory, hasPlantedBug: hasPlantedBug)
    }

    func mutate(_ input: [UInt8], limit: Int, with mutator: inout Mutator) -> [UInt8] {
        var snapshot = SnapshotFile(input)
        guard !snapshot.sections.isEmpty, mutator.choose(8) > 0 else {
            var bytes = input
            mutator.change(&bytes, limit: limit)
            return bytes
        }
        let index = mutator.choose(snapshot.sections.count)
        switch mutator.choose(8) {
        case 0: mutator.overwrite(&snapshot.header, snapshot.header.indices)
        case 1: snapshot.sections.remove(at: index)
        case 2: snapshot.sections.insert(snapshot.sections[index], at: mutator.choose(snapshot.sections.count))
        case 3: snapshot.sections[index].type = UInt16(mutator.choose(8))
        case 4: snapshot.sections[index].flags ^= 1
        // Most changes keep the length: one that does not is seldom more than a payload that ends early.
        case 5: mutator.change(&snapshot.sections[index].payload, limit: limit - input.count + snapshot.sections[index].payload.count)
        default: mutator.overwrite(&snapshot.sections[index].payload, snapshot.sections[index].payload.indices)
        }
        return snapshot.encoded()
    }

    func seeds(in directory: String) throws -> [String: [UInt8]] {
        var seeds = ["empty": try snapshot(in: directory) { _ in }]
        for configuration in IndexTarget.configurations where configuration.kind != .auto {
            seeds["\(configuration.kind.rawValue)-\(configuration.quantization.rawValue)"] = try snapshot(in: directory) { database in
                try database.fillWithSamples(documents: 6, index: configuration)
            }
        }
        return seeds
    }

    private func snapshot(in directory: String, _ fill: (Database) throws -> Void) throws -> [UInt8] {
        let fileSystem = SimulatedFileSystem()
        let database = try Database(directory: directory, fileSystem: fileSystem)
        try fill(database)
        let info = try database.takeSnapshot()
        try database.close()
        return fileSystem.files["\(directory)/\(info.name)"]!
    }
}
