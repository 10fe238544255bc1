import Glibc
import TestSupport
import Testing

/// Other vectors for a library, while its responder is killed.
@Suite("Faults: re-embedding", .serialized)
struct ReembeddingTests {
    /// Models, with the dimension of their vectors and the plane in which these lie: nothing but the vectors tells one from the other.
    private static let models = ["first": (dimension: 8, plane: (0, 1)), "second": (dimension: 8, plane: (5, 2))]

    /// The number that a text is as an angle, since all texts have vectors of length 1.
    private static func vector(of text: String, by model: String) -> [Float] {
        let (dimension, plane) = models[model]!
        let angle = (Float(text) ?? -1) / 1000
        var vector = [Float](repeating: 0, count: dimension)
        (vector[plane.0], vector[plane.1]) = (cos(angle), sin(angle))
        return vector
    }

    /// How many more requests for new vectors are answered, and how many wait meanwhile.
    private struct Pace {
        var allowed = Int.max
        var waiting = 0
    }

    /// Answers as both models do.
    private static func answer(_ request: StubServer.Request, _ pace: Shared<Pace>) -> StubServer.Answer {
        guard let model = request.json["model"]?.string, let texts = request.json["input"]?.array else { return .json(400, [:]) }
        // What tells a model from others are three texts.
        if texts.count > 3 {
            pace.update { $0.waiting += 1 }
            pace.wait(until: { $0.allowed > 0 }) {
                $0.allowed -= 1
                $0.waiting -= 1
            }
        }
        let data = texts.enumerated().map { index, text -> JSON in
            let vector = vector(of: text.string ?? "", by: model).map { JSON.number(Double($0)) }
            return ["index": .number(Double(index)), "embedding": .array(vector)]
        }
        return .json(200, ["data": .array(data)])
    }

    @Test("killed within it, the responder goes on with it: nothing is lost, and all vectors are of the model that the library names")
    func killed() throws {
        let kills = count("QUIRE_REEMBEDDING_KILLS", standard: 6)
        var chance = SplitMix(seed: seed("kills within re-embeddings", standard: 31))
        let pace = Shared(Pace())
        let stub = StubServer { request, _ in Self.answer(request, pace) }
        let models = Self.models.map { name, model in
            "  - name: \(name)\n    provider: openai\n    dimension: \(model.dimension)\n    base_url: \(stub.url)"
        }
        let quire = try QuireInstance(
            noModel.merging(noProvider) { $1 }, file: "models:\n" + models.sorted().joined(separator: "\n"))
        let library = try Library(on: quire, model: "first")
        for start in stride(from: 0, to: 600, by: 100) { try library.add(start..<start + 100) }

        var (model, compared) = ("first", 0)
        for kill in 0..<kills {
            let next = model == "first" ? "second" : "first"
            // 64 texts each, of 600.
            let requests = Int.random(in: 0..<9, using: &chance)
            pace.update { $0.allowed = requests }
            #expect(try library.reembed(with: next) == 202)
            try quire.waitUntil("vectors are waited for") { pace.current.waiting == 1 }
            #expect(library.progress == 64 * requests)
            try library.check(searches: 5, &chance)
            try library.delete(Int.random(in: 0..<500, using: &chance))
            try library.add(1000 + kill..<1001 + kill)

            // In the middle of it, or while the rest is made and takes the place of what there was.
            if Bool.random(using: &chance) {
                pace.update { $0.allowed = .max }
                poll(nil, 0, Int32.random(in: 0...150, using: &chance))
            }
            try quire.killResponder(restartingAtOnce: true)
            pace.update { $0.allowed = .max }

            try library.check(searches: 20, &chance)
            try quire.waitUntil("all documents are done") { library.model == next && library.progress == nil }
            try library.check(searches: 20, &chance)
            compared += try library.checkDocuments(of: next)
            model = next
        }
        report("vectors compared after \(kills) kills within re-embeddings", "\(compared)")
    }

    /// A library of documents that are a number each.
    private final class Library {
        private let quire: QuireInstance
        private let path: String
        /// Ids by number.
        private var documents: [Int: String] = [:]

        init(on quire: QuireInstance, model: String) throws {
            self.quire = quire
            path = "/v1/libraries/" + (try quire.createLibrary(#"{"name":"n","embedding_model":"\#(model)","metric":"l2"}"#))
        }

        var model: String? { (try? quire.get(path))?.json["metadata"]?["embedding_model"]?.string }
        /// How many documents have new vectors; nil when none are being made.
        var progress: Int? {
            guard let run = (try? quire.get("\(path)/reembed"))?.json, run["state"] == "running" else { return nil }
            return run["documents_done"]?.integer
        }

        func reembed(with model: String) throws -> Int {
            try quire.post("\(path)/reembed", #"{"embedding_model":"\#(model)"}"#).status
        }

        func add(_ numbers: Range<Int>) throws {
            let bodies = numbers.map { #"{"title":"t","texts":["\#($0)"]}"# }
            let reply = try quire.post("\(path)/documents/batch", #"{"documents":[\#(bodies.joined(separator: ","))]}"#)
            for (index, number) in numbers.enumerated() {
                documents[number] = try #require(reply.json["results"]?[index]?["id"]?.string, "\(reply.text)")
            }
        }

        func delete(_ number: Int) throws {
            guard let id = documents.removeValue(forKey: number) else { return }
            #expect(try quire.deleteDocument(id).status == 204)
        }

        /// What is there is found by its text, and what was deleted is not.
        func check(searches: Int, _ chance: inout SplitMix) throws {
            #expect(try quire.get(path).json["num_documents"]?.integer == documents.count)
            for _ in 0..<searches {
                let number = Int.random(in: 0..<600, using: &chance)
                let reply = try quire.post("\(path)/search", #"{"query":"\#(number)","k":1}"#)
                let found = reply.json["results"]?[0]
                #expect((found?["chunk"]?["text"]?.string == "\(number)") == (documents[number] != nil), "\(number): \(reply.text)")
                if documents[number] != nil { #expect(found?["distance"]?.number == 0) }
            }
        }

        /// Returns how many there are.
        func checkDocuments(of model: String) throws -> Int {
            for (number, id) in documents {
                let reply = try quire.get("/v1/documents/\(id)?include_embeddings=true")
                let expected = ReembeddingTests.vector(of: "\(number)", by: model)
                let found = try #require(reply.json["chunks"]?[0]?["embedding"]?.floats, "\(number): \(reply.text)")
                #expect(found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 }, "\(number): \(found)")
            }
            return documents.count
        }
    }
}
