/// How near to a query the rows in a box can be: never more than the distance that the store computes for one of them,
/// rounding included.
///
/// u = 2⁻²⁴ is the relative error of one operation on floats, and a sum of d terms in any order errs by at most d·u times the
/// sum of their magnitudes. What underflows errs by at most 2⁻¹⁴⁹ a term.
struct BoxBound {
    private let metric: Metric
    /// Padded with zeros to `width`.
    private let query: UnsafePointer<Float>
    private let width: Int
    private let relative: Float
    private let absolute: Float

    private typealias Step = SIMD8<Float>

    static func width(ofDimension dimension: Int) -> Int {
        (dimension + Step.scalarCount - 1) / Step.scalarCount * Step.scalarCount
    }

    /// - Parameters:
    ///   - query: padded with zeros to the width; of norm 1 under cosine.
    ///   - root: a box around all boxes that will be asked about.
    init(_ metric: Metric, query: UnsafePointer<Float>, width: Int, root: UnsafePointer<Float>) {
        self.metric = metric
        self.query = query
        self.width = width
        let unit = Float.ulpOfOne / 2
        let terms = Float(width)
        switch metric {
        case .l2:
            // Both sums have terms of relative error 3u at most, and are sums of positive terms.
            relative = 1 - 2.5 * (terms + 4) * unit
            absolute = 4 * terms * .leastNonzeroMagnitude
        case .cosine:
            // 1 − q·u = |q − u|²/2 + 1 − (|q|² + |u|²)/2, where the norms are 1 but for a few u. The kernel's sum of
            // products errs by d·u, and by d·2⁻²² where the row is so short that the products underflow before they are
            // multiplied by 1/norm, which is at most 2¹²⁸.
            relative = 0.5 * (1 - 1.5 * (terms + 4) * unit)
            absolute = 8 * (terms + 8) * unit
        case .dot:
            // Both sums err by at most d·u·Σ|q·x|, and no component of a row has a greater magnitude than the root's box.
            var magnitudes: Float = 0
            for component in 0..<width {
                magnitudes += query[component].magnitude * max(root[component].magnitude, root[width + component].magnitude)
            }
            relative = 1
            absolute = 2.5 * (terms + 4) * unit * magnitudes + 4 * terms * .leastNonzeroMagnitude
        }
    }

    /// The least distance. Where a sum overflows it is no number or −∞, and no comparison finds it greater than a bound:
    /// only sums of what is too near can overflow, for no row is farther than the largest `Float`.
    @inline(__always)
    func leastDistance(to box: UnsafePointer<Float>) -> Float {
        switch metric {
        case .l2: max(0, squaredDistance(to: box) * relative - absolute).squareRoot()
        case .cosine: squaredDistance(to: box) * relative - absolute
        case .dot: -greatestProduct(with: box) - absolute
        }
    }

    @inline(__always)
    private func squaredDistance(to box: UnsafePointer<Float>) -> Float {
        var sum = Step.zero
        var component = 0
        while component < width {
            let query = load(self.query, component)
            let below = load(box, component) - query
            let above = query - load(box + width, component)
            // At most one of the two is positive.
            let outside = below.replacing(with: 0, where: below .< 0) + above.replacing(with: 0, where: above .< 0)
            sum += outside * outside
            component += Step.scalarCount
        }
        return sum.sum()
    }

    @inline(__always)
    private func greatestProduct(with box: UnsafePointer<Float>) -> Float {
        var sum = Step.zero
        var component = 0
        while component < width {
            let query = load(self.query, component)
            let least = query * load(box, component)
            let greatest = query * load(box + width, component)
            sum += least.replacing(with: greatest, where: least .< greatest)
            component += Step.scalarCount
        }
        return sum.sum()
    }

    @inline(__always)
    private func load(_ pointer: UnsafePointer<Float>, _ component: Int) -> Step {
        UnsafeRawPointer(pointer + component).loadUnaligned(as: Step.self)
    }
}
