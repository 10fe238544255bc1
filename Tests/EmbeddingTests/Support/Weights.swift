import TestSupport
import Testing

extension Trait where Self == ConditionTrait {
    static var needsWeights: Self {
        .enabled(if: weightsDirectory != nil, "the weights are not here: run Scripts/bootstrap-model")
    }
}
