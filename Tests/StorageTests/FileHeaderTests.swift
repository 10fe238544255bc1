import Testing

@testable import Storage

@Suite("Headers of files")
struct FileHeaderTests {
    @Test("a flipped bit in the version is damage, and not a later version of the program", arguments: 8..<12)
    func version(offset: Int) throws {
        for bit in 0..<8 {
            var bytes = SegmentHeader.first(of: testID).encoded().bytes
            bytes[offset] ^= 1 << UInt8(bit)

            #expect {
                _ = try bytes.withUnsafeBytes { try SegmentHeader.decode($0) }
            } throws: {
                if case .damaged = $0 as? FileHeader.Flaw { true } else { false }
            }
        }
    }
}
