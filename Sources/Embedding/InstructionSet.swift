import CEmbeddingKernels

/// The sets of instructions the kernels are compiled for, slowest first.
enum InstructionSet: Int32, CaseIterable, Sendable {
    case portable, avx2, avx512, avx512bf16

    var isSupported: Bool { embedding_supports(rawValue) }

    /// What this CPU and operating system run, slowest first; never empty.
    static var supported: [InstructionSet] { allCases.filter(\.isSupported) }

    static var best: InstructionSet { supported[supported.count - 1] }
}
