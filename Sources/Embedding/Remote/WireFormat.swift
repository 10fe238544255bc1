import JSON

/// How one kind of provider is asked and how it answers.
protocol WireFormat: Sendable {
    /// Behind the base URL.
    var path: String { get }
    /// Texts in one request.
    var maxTexts: Int { get }
    /// Requests at the same time to one address.
    var maxCalls: Int { get }

    /// The body of a request for the vectors of `texts`, which have their prefixes.
    func request(_ texts: [String], of model: RemoteModel, as inputType: EmbeddingInputType) -> [UInt8]

    /// Reads the vectors of an answer into their places. What is not there, or not a vector, stays missing.
    ///
    /// Members of the answer that nobody asked for are ignored: providers add some.
    /// - Returns: the tokens that the provider counted, 0 if it does not say.
    func read(_ answer: JSONReader, into vectors: inout AnsweredVectors) -> Int

    /// The provider's word for what went wrong, if the answer has one that is known here.
    func code(ofError answer: JSONReader) -> String?
}

extension WireFormat {
    func code(ofError answer: JSONReader) -> String? { nil }
}

/// The vectors of an answer, each in the place of its text.
struct AnsweredVectors {
    let dimension: Int
    private var vectors: [[Float]?]
    private var problem: String?

    init(count: Int, dimension: Int) {
        self.dimension = dimension
        vectors = Array(repeating: nil, count: count)
    }

    /// - Parameter vector: `nil` for what is no array of finite numbers.
    mutating func put(_ vector: [Float]?, at position: Int) {
        if let problem = flaw(of: vector, at: position) {
            self.problem = self.problem ?? problem
        } else {
            vectors[position] = vector
        }
    }

    private func flaw(of vector: [Float]?, at position: Int) -> String? {
        guard vectors.indices.contains(position), vectors[position] == nil else { return "its vectors are not those of the texts" }
        guard let vector, vector.allSatisfy(\.isFinite) else { return "vector \(position) is not one of finite numbers" }
        guard vector.count == dimension else { return "vector \(position) has \(vector.count) numbers, the model has \(dimension)" }
        return nil
    }

    /// Vectors that come in the order of the texts, as `read` finds them.
    mutating func putAll(_ array: JSONValue) {
        var position = 0
        // As many as there are: the count is checked by `finish`.
        _ = array.array(count: 0...Int.max) { element -> Bool? in
            put(element.type == .array ? element.floats(expected: dimension) : nil, at: position)
            position += 1
            return nil
        }
    }

    /// All vectors, one after another.
    func finish() throws(AnswerProblem) -> [Float] {
        if let problem { throw AnswerProblem(reason: problem) }
        let found = vectors.compactMap(\.self)
        guard found.count == vectors.count else {
            throw AnswerProblem(reason: "its answer has \(found.count) vectors for \(vectors.count) texts")
        }
        return Array(found.joined())
    }
}

/// An answer with status 200 that is none. `reason` has nothing of the answer but numbers.
struct AnswerProblem: Error, Equatable {
    let reason: String
}
