import CVectorKernels

/// The instructions the kernels use. Distances are reproducible to the bit within one set, not between two.
package enum InstructionSet: String, CaseIterable, Sendable {
    case plain
    case avx2
    case avx512
    /// Scores floats as `avx512` does, and codes with instructions made for it.
    case avx512VNNI = "avx512_vnni"

    /// The sets this machine can run, narrowest first. `plain` is always one of them.
    package static let supported: [InstructionSet] = allCases.filter { quire_supports($0.kernel) }

    /// The widest set this machine can run.
    package static let best = supported.last!

    var kernel: quire_instruction_set {
        switch self {
        case .plain: QUIRE_PLAIN
        case .avx2: QUIRE_AVX2
        case .avx512: QUIRE_AVX512
        case .avx512VNNI: QUIRE_AVX512_VNNI
        }
    }
}
