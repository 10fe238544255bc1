import CVectorKernels

/// How far two vectors are from each other. Smaller is nearer under every metric.
package enum Metric: String, CaseIterable, Sendable {
    /// 1 − cos, clamped to [0, 2].
    case cosine
    /// −(a·b); may be negative.
    case dot
    /// Euclidean, not squared.
    case l2

    var kernel: quire_metric {
        switch self {
        case .cosine: QUIRE_COSINE
        case .dot: QUIRE_DOT
        case .l2: QUIRE_L2
        }
    }
}
