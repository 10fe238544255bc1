import Glibc

/// Reads a body line by line, in memory for one line.
///
/// A line ends at LF or at CR LF; the last one may lack its end. Blank lines are skipped but counted.
package struct LineReader {
    package struct Line: Equatable {
        /// The first line is 1.
        package let number: Int
        /// Without the line end.
        package let content: Content
    }

    package enum Content: Equatable {
        case bytes([UInt8])
        /// More bytes than a line may have; none of them was kept.
        case tooLong
    }

    /// Asked for at one time.
    private static let pieceBytes = 1 << 16

    private let body: any IncomingBody
    private let maxLineBytes: Int
    /// What arrived last, and how far it was read.
    private var piece: [UInt8] = []
    private var position = 0
    private var number = 0

    /// - Parameter maxLineBytes: of one line without its end.
    package init(_ body: any IncomingBody, maxLineBytes: Int) {
        self.body = body
        self.maxLineBytes = maxLineBytes
    }

    /// The next line that is not blank; `nil` at the end of the body.
    ///
    /// - Throws: when the body breaks off; what arrived of a line by then is lost.
    package mutating func next() throws(IncomingBodyError) -> Line? {
        while let content = try nextContent() {
            number += 1
            if case .bytes(let bytes) = content, bytes.allSatisfy(isBlank) { continue }
            return Line(number: number, content: content)
        }
        return nil
    }

    /// The content of the next line, blank or not.
    private mutating func nextContent() throws(IncomingBodyError) -> Content? {
        var line: [UInt8] = []
        var isTooLong = false
        var isEmpty = true
        while try fill() {
            isEmpty = false
            let end = endOfLine
            let part = piece[position..<(end ?? piece.count)]
            position = end.map { $0 + 1 } ?? piece.count
            // One more than allowed: a CR may come off.
            isTooLong = isTooLong || line.count + part.count > maxLineBytes + 1
            if isTooLong { line = [] } else { line += part }
            if end != nil { break }
        }
        if isEmpty { return nil }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return isTooLong || line.count > maxLineBytes ? .tooLong : .bytes(line)
    }

    /// Whether there are bytes left to look at.
    private mutating func fill() throws(IncomingBodyError) -> Bool {
        guard position == piece.count else { return true }
        piece = try body.read(atMost: Self.pieceBytes) ?? []
        position = 0
        return !piece.isEmpty
    }

    /// Where the next LF is in the piece.
    private var endOfLine: Int? {
        piece.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, let found = memchr(start + position, 0x0A, bytes.count - position) else { return nil }
            return UnsafeRawPointer(found) - start
        }
    }

    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
}
