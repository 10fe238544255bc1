import Glibc

/// What the defaults depend on: who runs the process, and on how large a machine.
package struct Machine: Sendable, Equatable {
    package var userID: UInt32
    /// The account's home directory, used where `HOME` is not set.
    package var home: String?
    package var cores: Int
    /// What the machine has, or what the control group of the process may have if that is less.
    package var memoryBytes: Int

    package init(userID: UInt32, home: String?, cores: Int, memoryBytes: Int) {
        self.userID = userID
        self.home = home
        self.cores = cores
        self.memoryBytes = memoryBytes
    }

    package static var current: Machine {
        let userID = getuid()
        let cores = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let physical = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
        return Machine(
            userID: userID, home: homeDirectory(of: userID), cores: max(1, cores),
            memoryBytes: min(physical, ControlGroup.memoryLimit() ?? physical))
    }

    package var isRoot: Bool { userID == 0 }

    private static func homeDirectory(of userID: UInt32) -> String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        // 16 KiB holds any sane account line; an account without one simply has no home here.
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16_384) { buffer in
            guard getpwuid_r(userID, &entry, buffer.baseAddress!, buffer.count, &found) == 0, found != nil, let home = entry.pw_dir
            else { return nil }
            return String(cString: home)
        }
    }
}
