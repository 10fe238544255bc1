import Database
import Embedding
import JSON
import Settings
import Storage

/// A part of the server and whether it works.
struct Component {
    let name: String
    let isReady: Bool
    let detail: String
}

extension Service {
    /// How each part is, for `GET /ready`. Cheap enough to be asked all the time: no library is looked at.
    var components: [Component] { stateComponents + (keyComponent.map { [$0] } ?? []) }

    var keyComponent: Component? { keyRing?.component }

    private var stateComponents: [Component] {
        switch state {
        case .starting:
            return [
                Component(name: "storage", isReady: false, detail: "loading"),
                Component(name: "embedding", isReady: false, detail: "loading"),
            ]
        case .failed(let error):
            return [Component(name: "storage", isReady: false, detail: "\(error)")]
        case .ready(let database, let catalogue):
            return [
                Component(name: "storage", isReady: true, detail: "\(database.recovery.recordsReplayed) records replayed at start"),
                embeddingComponent(catalogue),
                indexComponent(database),
            ] + resourceComponents(database)
        }
    }

    /// Without weights everything but text embedding works, so the server is ready all the same.
    private func embeddingComponent(_ catalogue: ModelCatalogue) -> Component {
        guard let model = catalogue.model(named: settings.embeddingModel) else {
            preconditionFailure("the server checks EMBEDDING_MODEL before it starts")
        }
        return switch catalogue.availability(of: model) {
        case .available: Component(name: "embedding", isReady: true, detail: model.name)
        case .unavailable(let reason): Component(name: "embedding", isReady: false, detail: reason)
        }
    }

    /// An index that is being built keeps nobody waiting: what it lacks is searched exactly.
    private func indexComponent(_ database: Database) -> Component {
        let busy = database.librariesWithIndexWork
        let detail = busy == 0 ? "nothing to build" : "at work for \(busy) \(busy == 1 ? "library" : "libraries")"
        return Component(name: "indexes", isReady: true, detail: detail)
    }

    /// Where one of these is not ready, writes are refused with 507; reading and deleting go on.
    private func resourceComponents(_ database: Database) -> [Component] {
        do {
            let resources = try database.resources()
            let (free, reserve) = (resources.freeDisk, resources.budget.diskReserveBytes)
            let (memory, budget) = (resources.memoryInUse, resources.budget.memoryBytes)
            return [
                Component(name: "disk", isReady: free > reserve, detail: "\(free) bytes free; DISK_RESERVE_BYTES = \(reserve)"),
                Component(name: "memory", isReady: memory < budget, detail: "\(memory) bytes in use; MEMORY_BUDGET_BYTES = \(budget)"),
            ]
        } catch {
            return [Component(name: "disk", isReady: false, detail: "\(error)")]
        }
    }
}

extension JSONWriter {
    mutating func write(_ components: [Component]) {
        key("components")
        array { json in
            for component in components {
                json.object { json in
                    json.member("name", component.name)
                    json.member("status", component.isReady ? "ready" : "unavailable")
                    json.member("detail", component.detail)
                }
            }
        }
    }
}
