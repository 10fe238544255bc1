/// What the kernel lets the group of processes have that this one belongs to: a service unit with `MemoryMax`, a container.
enum ControlGroup {
    /// Bytes of memory that the group and all above it may have; nil without a limit. Version 2 of control groups, and version 1
    /// (cgroups(7)).
    ///
    /// - Parameters:
    ///   - membership: as `/proc/self/cgroup` has it.
    ///   - root: where the hierarchies are mounted.
    static func memoryLimit(membership: String = "/proc/self/cgroup", root: String = "/sys/fs/cgroup") -> Int? {
        guard let lines = text(membership)?.split(separator: "\n") else { return nil }
        return lines.compactMap { line -> Int? in
            // hierarchy:controllers:path
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return nil }
            if fields[1].isEmpty { return limit(of: fields[2], in: root, named: "memory.max") }
            guard fields[1].split(separator: ",").contains("memory") else { return nil }
            return limit(of: fields[2], in: root + "/memory", named: "memory.limit_in_bytes")
        }.min()
    }

    /// The least limit on the way from a group up to the root.
    private static func limit(of group: Substring, in hierarchy: String, named file: String) -> Int? {
        var names = group.split(separator: "/")
        var limits: [Int] = []
        while true {
            let directory = ([hierarchy] + names.map(String.init)).joined(separator: "/")
            // "max" in version 2, a number near 2^63 in version 1: no limit.
            if let bytes = text("\(directory)/\(file)").flatMap({ Int($0.prefix { $0 != "\n" }) }), bytes < 1 << 60 {
                limits.append(bytes)
            }
            guard names.popLast() != nil else { return limits.min() }
        }
    }

    private static func text(_ path: String) -> String? {
        do { return String(decoding: try readFile(path, atMost: 65_536), as: UTF8.self) } catch { return nil }
    }
}
