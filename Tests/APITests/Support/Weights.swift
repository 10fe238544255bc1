import Glibc
import Testing

/// Where Scripts/bootstrap-model puts the weights, if they are there.
enum Weights {
    static let directory: String? = {
        let cache = environment("XDG_CACHE_HOME") ?? (environment("HOME") ?? "") + "/.cache"
        let directory = environment("QUIRE_MODEL_DIR") ?? cache + "/quire/models/all-minilm-l6-v2"
        return access(directory + "/model.safetensors", R_OK) == 0 ? directory : nil
    }()

    private static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

extension Trait where Self == ConditionTrait {
    static var needsWeights: Self {
        .enabled(if: Weights.directory != nil, "the weights are not here: run Scripts/bootstrap-model")
    }
}
