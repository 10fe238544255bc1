/// A chunk that was found and those around it, as one text: what a reader needs to understand it, and a citation to point at.
package struct Passage: Sendable, Equatable {
    /// A chunk within the text.
    package struct Part: Sendable, Equatable {
        package let chunkIndex: Int
        /// Where it stands in the passage, in Unicode scalars. What two chunks overlap by is in the passage once, and in both ranges.
        package let range: Range<Int>
    }

    package private(set) var text = ""
    /// Of chunks that follow each other in the document.
    package private(set) var parts: [Part] = []

    /// - Parameters:
    ///   - index: of the chunk that was found.
    ///   - before: how many chunks before it are wanted; there may be fewer.
    ///   - after: the same behind it.
    init(around index: Int, of document: Document, before: Int, after: Int) {
        let chunks = document.chunks
        var length = 0
        for index in max(0, index - before)...min(chunks.count - 1, index + after) {
            let scalars = chunks[index].text.unicodeScalars
            var repeated = 0
            if let last = parts.last {
                switch Joint(chunks[last.chunkIndex], chunks[index]) {
                case .overlap(let count): repeated = count
                case .space:
                    text += " "
                    length += 1
                case .line:
                    text += "\n"
                    length += 1
                }
            }
            let start = length - repeated
            text.unicodeScalars += scalars.dropFirst(repeated)
            length = start + scalars.count
            parts.append(Part(chunkIndex: index, range: start..<length))
        }
    }
}

/// What is between two chunks that follow each other.
private enum Joint {
    /// The second begins with the last scalars of the first; with none, it follows at once.
    case overlap(Int)
    /// White space, of whatever kind.
    case space
    /// They were not cut from one text, or one of them has changed since.
    case line

    init(_ first: Chunk, _ second: Chunk) {
        guard let first = first.offsets, let second = second.offsets, first.lowerBound < second.lowerBound,
            first.upperBound < second.upperBound
        else {
            self = .line
            return
        }
        self = second.lowerBound > first.upperBound ? .space : .overlap(first.upperBound - second.lowerBound)
    }
}
