extension Float {
    /// The number whose order is that of the values, so that a value and what it belongs to can be one integer key.
    @inline(__always)
    var orderedBits: UInt32 {
        bitPattern & 0x8000_0000 == 0 ? bitPattern | 0x8000_0000 : ~bitPattern
    }
}
