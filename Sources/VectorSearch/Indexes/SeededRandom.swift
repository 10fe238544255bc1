import Glibc

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, figure 16): an index built twice of the same rows is the same index.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// Normally distributed, mean 0 and variance 1 (Box and Muller 1958, one of the two).
    mutating func nextGaussian() -> Float {
        let radius = (-2 * log(Double.random(in: .leastNormalMagnitude..<1, using: &self))).squareRoot()
        return Float(radius * cos(2 * .pi * Double.random(in: 0..<1, using: &self)))
    }

    /// `count` of the elements, or all if there are no more, in no particular order (the first steps of Fisher and Yates's
    /// shuffle).
    mutating func sample<Element>(_ count: Int, of elements: some Collection<Element>) -> [Element] {
        var elements = Array(elements)
        guard count < elements.count else { return elements }
        for index in 0..<count {
            elements.swapAt(index, Int.random(in: index..<elements.count, using: &self))
        }
        return Array(elements.prefix(count))
    }
}
