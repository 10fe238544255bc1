/// A part of a text, and where it stands in it.
package struct TextChunk: Sendable, Equatable {
    package let text: String
    /// The same part of the whole text, in bytes of UTF-8.
    package let utf8Offsets: Range<Int>
    /// The same in Unicode scalars.
    package let scalarOffsets: Range<Int>
}
