import Database
import JSON

/// Something that an operator may want to do something about.
struct ServerIssue: Equatable {
    enum Severity: String, CaseIterable {
        /// Worth knowing; nothing is wrong.
        case info
        /// Something works less well than it could, or will not work for much longer.
        case warning
        /// Something does not work.
        case critical
    }

    /// What kind of thing it is, for programs. A new one goes into the OpenAPI document and docs/monitoring.md, which tests compare.
    enum Code: String, CaseIterable {
        case indexBuildingLong = "index_building_long"
        case recallLow = "recall_low"
        case recallGuarded = "recall_guarded"
        case noIndex = "no_index"
        case freeRows = "free_rows"
        case snapshotFailed = "snapshot_failed"
        case snapshotOverdue = "snapshot_overdue"
        case snapshotDamaged = "snapshot_damaged"
        case indexesRebuilt = "indexes_rebuilt"
        case logTornTail = "log_torn_tail"
        case filesIgnored = "files_ignored"
        case syncsSlow = "syncs_slow"
        case memoryHigh = "memory_high"
        case memoryFull = "memory_full"
        case diskLow = "disk_low"
        case diskFull = "disk_full"
        case diskUnreadable = "disk_unreadable"
        case modelUnavailable = "model_unavailable"
        case modelResting = "model_resting"
        case reembeddingFailed = "reembedding_failed"
        case requestsFailed = "requests_failed"
        case keyRingUnusable = "key_ring_unusable"
        case starting = "starting"
        case storageFailed = "storage_failed"
    }

    let code: Code
    let severity: Severity
    /// What is the matter, in a sentence.
    let message: String
    /// What to do about it, in a sentence.
    let action: String
    /// The library it is about, if it is about one.
    var library: LibraryID?
}

extension JSONWriter {
    mutating func write(_ issue: ServerIssue) {
        object { json in
            json.member("code", issue.code.rawValue)
            json.member("severity", issue.severity.rawValue)
            json.member("message", issue.message)
            json.member("action", issue.action)
            if let library = issue.library { json.member("library_id", library.description) }
        }
    }
}
