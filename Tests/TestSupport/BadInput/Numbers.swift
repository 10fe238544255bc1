/// What may stand where a vector or a number is expected, and what becomes of it.
package enum Numbers {
    package enum Verdict: Sendable {
        /// Stored as this.
        case stored(Float)
        /// Refused with 400: the body is not JSON.
        case malformed
        /// Refused with this status and kind of problem, at `body.chunks.0.embedding` plus this.
        case refused(Int, String, at: String)
    }

    /// What may stand as the second component of a vector of two.
    package static let components: [(text: String, verdict: Verdict)] =
        [
            ("0", .stored(0)), ("-0", .stored(0)), ("-0.0", .stored(-0.0)), ("-0e0", .stored(-0.0)), ("1", .stored(1)), ("-1", .stored(-1)),
            ("1.0", .stored(1)), ("1e0", .stored(1)), ("1E+2", .stored(100)), ("1e-2", .stored(0.01)), ("0.1", .stored(0.1)),
            ("16777217", .stored(16_777_216)), ("9007199254740993", .stored(9_007_199_254_740_992)),
            ("9223372036854775807", .refused(400, "norm_out_of_range", at: "")), ("1e18", .stored(1e18)), ("-8e18", .stored(-8e18)),
            ("18446744073709551615", .refused(400, "norm_out_of_range", at: "")), ("18446744073709551616", .malformed),
            ("1e-45", .stored(.leastNonzeroMagnitude)), ("1.4e-45", .stored(.leastNonzeroMagnitude)), ("5e-46", .stored(0)),
            ("1.1754942e-38", .stored(.leastNormalMagnitude.nextDown)), ("4.9e-324", .stored(0)), ("1e-400", .stored(0)),
            ("-1e-400", .stored(-0.0)),
            ("1e-99999999999", .stored(0)), ("0." + String(repeating: "0", count: 400) + "1", .stored(0)),
            ("3.4028235e38", .refused(400, "norm_out_of_range", at: "")), ("-3.4028235e38", .refused(400, "norm_out_of_range", at: "")),
            ("3.4028236e38", .refused(400, "not_finite", at: ".1")), ("1e39", .refused(400, "not_finite", at: ".1")),
            ("-1e39", .refused(400, "not_finite", at: ".1")), ("1.7976931348623157e308", .refused(400, "not_finite", at: ".1")),
            ("1e309", .malformed), ("1e400", .malformed), ("-1e400", .malformed), ("1e99999999999", .malformed),
            (String(repeating: "9", count: 400), .malformed), (String(repeating: "9", count: 400) + ".5", .malformed),
            ("0." + String(repeating: "3", count: 400), .stored(1 / 3)), ("NaN", .malformed), ("nan", .malformed), ("Infinity", .malformed),
            ("-Infinity", .malformed), ("inf", .malformed), ("+1", .malformed), ("01", .malformed), ("-", .malformed), ("1.", .malformed),
            (".5", .malformed), ("1e", .malformed), ("0x10", .malformed), ("1_000", .malformed),
            ("1,0", .refused(400, "dimension_mismatch", at: "")),
            ("null", .refused(422, "wrong_type", at: ".1")), ("true", .refused(422, "wrong_type", at: ".1")),
            (#""1""#, .refused(422, "wrong_type", at: ".1")), (#""NaN""#, .refused(422, "wrong_type", at: ".1")),
            (#""""#, .refused(422, "wrong_type", at: ".1")), ("[1]", .refused(422, "wrong_type", at: ".1")),
            ("[]", .refused(422, "wrong_type", at: ".1")), ("{}", .refused(422, "wrong_type", at: ".1")), ("", .malformed),
        ]

    /// What is no vector of two components.
    package static let shapes: [(embedding: String, status: Int, problem: String)] = [
        ("null", 422, "missing"), ("5", 422, "wrong_type"), ("true", 422, "wrong_type"), ("{}", 422, "wrong_type"),
        ("[]", 400, "dimension_mismatch"), ("[1]", 400, "dimension_mismatch"), ("[1,2,3]", 400, "dimension_mismatch"),
        ("[[1,2]]", 422, "wrong_type"), (#""x""#, 422, "invalid_base64"),
    ]

    /// Vectors of two components at the ends of what a metric can use.
    package static let directions: [(metric: String, vector: String, problem: String?)] = [
        ("cosine", "[0,0]", "zero_vector"), ("cosine", "[-0.0,0]", "zero_vector"), ("cosine", "[1e-400,0]", "zero_vector"),
        ("cosine", "[1e-45,0]", "norm_out_of_range"), ("cosine", "[1e-38,0]", nil), ("l2", "[0,0]", nil), ("l2", "[1e-45,0]", nil),
        ("dot", "[0,0]", nil), ("dot", "[-0.0,0]", nil), ("cosine", "[9e18,9e18]", "norm_out_of_range"),
        ("l2", "[9e18,9e18]", "norm_out_of_range"), ("dot", "[9e18,9e18]", "norm_out_of_range"), ("dot", "[6e18,6e18]", nil),
    ]

    /// Values of `k`, where at most 100 are allowed.
    package static let counts: [(k: String, problem: String?)] = [
        ("1", nil), ("100", nil), ("null", nil), ("0", "out_of_range"), ("-0", "out_of_range"), ("-1", "out_of_range"),
        ("101", "out_of_range"), ("9223372036854775807", "out_of_range"), ("-9223372036854775808", "out_of_range"),
        ("18446744073709551615", "out_of_range"), ("1.0", "wrong_type"), ("1e1", "wrong_type"), (#""5""#, "wrong_type"),
        ("true", "wrong_type"), ("[1]", "wrong_type"), ("{}", "wrong_type"),
    ]

    /// Values of `distance_threshold`.
    package static let thresholds: [(metric: String, threshold: String, isAccepted: Bool)] = [
        ("cosine", "0", true), ("cosine", "2", true), ("cosine", "2.0000001", false), ("cosine", "-0.1", false),
        ("cosine", "1e-400", true),
        ("l2", "0", true), ("l2", "3.4028234663852886e38", true), ("l2", "1e39", false), ("l2", "-1e-45", false), ("l2", "-0.0", true),
        ("dot", "-5", true), ("dot", "1e38", true), ("dot", "-1e39", false), ("cosine", #""1""#, false), ("cosine", "null", true),
        ("cosine", "[1]", false),
    ]
}
