import CPlatform

/// CRC-32C of `previous`'s bytes followed by `bytes`; start with 0.
func crc32c(_ previous: UInt32 = 0, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
    quire_crc32c(previous, bytes.baseAddress, bytes.count)
}
