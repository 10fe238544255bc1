import JSON
import TestSupport

@testable import Embedding

/// A clock that tests turn forward: who sleeps on it has slept at once.
final class TestClock: Sendable {
    private struct Time {
        var now: ContinuousClock.Instant
        var pauses: [Duration] = []
    }

    /// Real at first, so that it can be mixed with what waits on a socket.
    let start = ContinuousClock.now
    private let time: Shared<Time>
    private let chance: Double
    private let seconds: Int

    /// - Parameters:
    ///   - chance: what every roll of the dice gives, in 0..<1.
    ///   - seconds: since 1970.
    init(chance: Double = 0, seconds: Int = 1_800_000_000) {
        time = Shared(Time(now: start))
        (self.chance, self.seconds) = (chance, seconds)
    }

    var remote: RemoteClock {
        RemoteClock(
            now: { self.time.current.now },
            secondsSince1970: { self.seconds },
            sleep: { pause in
                self.time.update { time in
                    time.now += pause
                    time.pauses.append(pause)
                }
            },
            random: { self.chance })
    }

    var now: ContinuousClock.Instant { time.current.now }
    var pauses: [Duration] { time.current.pauses }
    func advance(by duration: Duration) { time.update { $0.now += duration } }
}

/// The vector that the stubs give a text: no two texts of the tests have the same.
func stubVector(_ text: String, dimension: Int) -> [Float] {
    var random = SplitMix(seed: text.utf8.reduce(7) { ($0 &* 1_099_511_628_211) ^ UInt64($1) })
    return (0..<dimension).map { _ in 2 * random.unit() - 1 }
}

func stubUnitVector(_ text: String, dimension: Int) -> [Float] {
    var vector = stubVector(text, dimension: dimension)
    precondition(normalize(&vector, dimension: dimension))
    return vector
}

extension RemoteProviderKind {
    /// The texts of a request, as this kind of provider is asked.
    func texts(of request: StubServer.Request) -> [String] {
        (request.json[self == .cohere ? "texts" : "input"]?.array ?? []).compactMap(\.string)
    }

    /// A right answer to a request.
    func answer(_ request: StubServer.Request, dimension: Int, asFloats: Bool = false) -> StubServer.Answer {
        answer(texts(of: request).map { stubVector($0, dimension: dimension) }, asFloats: asFloats)
    }

    /// An answer with these vectors.
    func answer(_ vectors: [[Float]], asFloats: Bool = false) -> StubServer.Answer {
        func numbers(_ vector: [Float]) -> JSON { .array(vector.map { .number(Double($0)) }) }
        switch self {
        case .cohere:
            return .json(
                200,
                [
                    "id": "x", "texts": [], "embeddings": ["float": .array(vectors.map(numbers))],
                    "meta": ["billed_units": ["input_tokens": .number(Double(3 * vectors.count))]],
                ])
        case .openai:
            let data = vectors.enumerated().map { index, vector in
                [
                    "object": "embedding", "index": .number(Double(index)),
                    "embedding": asFloats ? numbers(vector) : .string(Base64.text(vector)),
                ] as TestSupport.JSON
            }
            // In any order: `index` says which is which.
            return .json(
                200,
                [
                    "object": "list", "model": "m", "data": .array(data.reversed()),
                    "usage": ["prompt_tokens": .number(Double(3 * vectors.count)), "total_tokens": 9],
                ])
        case .ollama:
            return .json(
                200,
                ["model": "m", "embeddings": .array(vectors.map(numbers)), "prompt_eval_count": .number(Double(3 * vectors.count))])
        }
    }
}

/// A key whose every part is looked for where it must not be.
let markerKey = "sk-MARKERKEY0123456789"
/// A text that is looked for in the same way.
let markerText = "MARKERTEXT is what a user wrote"

/// A provider of this kind that asks the stub.
func makeProvider(
    _ kind: RemoteProviderKind, _ server: StubServer, dimension: Int = 4, clock: TestClock = TestClock(), key: String? = markerKey,
    change: (inout RemoteModel) -> Void = { _ in }
) -> RemoteProvider {
    var model = RemoteModel(name: "m", provider: kind, remoteName: "there", dimension: dimension, maxTokens: 9, summary: "")
    model.baseURL = server.url
    change(&model)
    return RemoteProvider(
        model: model, endpoint: RemoteEndpoint(kind, baseURL: model.baseURL, key: key.flatMap(APIKey.init), clock: clock.remote))
}
