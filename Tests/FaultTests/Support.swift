import TestSupport

extension QuireInstance {
    /// The id of a new library for documents of a `Load`.
    func createVectorLibrary(index: String = "auto", dimension: Int = Load.dimension) throws -> String {
        try createLibrary(#"{"name":"test","embedding_dimension":\#(dimension),"metric":"l2","index_type":"\#(index)"}"#)
    }
}

extension Duration {
    var inMilliseconds: Int { Int(self / .milliseconds(1)) }
    var inMicroseconds: Int { Int(self / .microseconds(1)) }
}

extension [Duration] {
    /// Of at least one.
    var percentile99: Duration { sorted()[count * 99 / 100] }
    /// Of at least one.
    var median: Duration { sorted()[count / 2] }
}
