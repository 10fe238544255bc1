import Storage
import TestSupport
import VectorSearch

@testable import Database

extension SplitMix {
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    /// Any index.
    mutating func index() -> IndexConfiguration {
        let kind = IndexKind.allCases.randomElement(using: &self)!
        let chosen: [IndexParameter: Int] = kind.parameters.reduce(into: [:]) { chosen, parameter in
            if chance(50) { chosen[parameter] = Int.random(in: parameter.range.clamped(to: 0...10), using: &self) }
        }
        return IndexConfiguration(kind, quantization: kind.quantizations.randomElement(using: &self)!, chosen: chosen)
    }

    /// A vector of four dimensions in all directions, unlike every other one.
    mutating func vector() -> [Float] { (0..<4).map { _ in Float.random(in: -1...1, using: &self) } }

    /// A vector of four dimensions with which every distance is exact in single precision under every metric, so that a simple model
    /// agrees to the bit and equal distances are frequent: one axis or all four, times a power of two.
    mutating func exactVector() -> [Float] {
        let scale = [0.5, 1, 2, 4].randomElement(using: &self)! as Float
        let signs = (0..<4).map { _ in Bool.random(using: &self) ? scale : -scale }
        guard Bool.random(using: &self) else { return signs }
        let axis = Int.random(in: 0..<4, using: &self)
        return (0..<4).map { $0 == axis ? signs[axis] : 0 }
    }
}

extension Identifier {
    /// An id that says in tests which one it is; greater numbers come later in order.
    static func number(_ number: Int) -> Identifier { Identifier(high: 0x4000, low: 0x8000_0000_0000_0000 | UInt64(number)) }
}

extension SequenceNumber {
    static func number(_ number: UInt64) -> SequenceNumber { SequenceNumber(rawValue: number) }
}

func chunk(_ id: Int, _ vector: [Float], text: String = "text", page: Int? = nil) -> ChunkRecord {
    ChunkRecord(id: .number(id), text: text, pageNumber: page, embedding: vector)
}

/// The distance by definition.
func distance(_ metric: Metric, _ left: [Float], _ right: [Float]) -> Float {
    let pairs = zip(left.map(Double.init), right.map(Double.init))
    let product = pairs.reduce(0) { $0 + $1.0 * $1.1 }
    switch metric {
    case .cosine:
        let norms = [left, right].map { $0.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
        return Float(min(2, max(0, 1 - product / (norms[0] * norms[1]))))
    case .dot:
        return Float(-product)
    case .l2:
        return Float(pairs.reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot())
    }
}
