// Until the real ones land.
typealias KDTreeIndex = HNSWIndex
typealias LSHIndex = HNSWIndex
typealias IVFIndex = HNSWIndex
