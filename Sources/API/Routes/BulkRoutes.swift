import Database
import HTTP
import HTTPTypes
import JSON
import Settings
import Storage

/// Many documents in one request, each for itself.
struct BulkRoutes {
    let service: Service

    func add(to router: inout Router<Handler>) {
        router.add(.post, "/v1/libraries/{id}/documents/batch", addBatch)
        router.add(.post, "/v1/libraries/{id}/documents/stream", .streamed(addStream))
    }

    @Sendable private func addBatch(_ request: Request, _ path: PathParameters) throws -> Response {
        let library = try service.database.library(path.identifier("id")).record
        let onConflict = try request.readQuery { $0.choice("on_conflict", default: ConflictPolicy.error) }
        let documents = try [Result<NewDocument, APIError>].read(request.jsonReader(), service.rules(for: library))
        let added = try service.put(documents, in: library, onConflict: onConflict)
        if let refusal = added.commonRefusal { throw refusal }
        return Response(json: .ok, capacity: 128 * documents.count) { json in
            json.object { json in
                json.key("results")
                json.array { json in
                    for (index, result) in added.enumerated() {
                        json.object { json in
                            json.member("index", index)
                            json.writeMembers(of: result)
                        }
                    }
                }
            }
        }
    }

    @Sendable private func addStream(_ request: Request, _ path: PathParameters, _ body: any IncomingBody) throws -> Response {
        guard let type = request.headers[.contentType], type.isMediaType(DocumentStream.mediaType) else {
            throw APIError(.unsupportedMediaType, "The body must be application/x-ndjson in UTF-8: one document a line")
        }
        let database = try service.database
        let library = try database.library(path.identifier("id")).record
        let onConflict = try request.readQuery { $0.choice("on_conflict", default: ConflictPolicy.error) }
        let results = try SpooledBody(in: service.settings.dataDirectory) { try database.admitFile(bytes: $0) }
        try DocumentStream(service, try service.rules(for: library), onConflict, results: results).read(body)
        return Response(status: .ok, headers: [.contentType: DocumentStream.mediaType], spooled: results)
    }
}

extension [Result<NewDocument, APIError>] {
    /// The body of `POST /v1/libraries/{id}/documents/batch`. A document that is wrong inside is wrong by itself.
    ///
    /// - Throws: what is wrong with the body as a whole.
    fileprivate static func read(_ reader: JSONReader, _ rules: DocumentRules) throws -> Self {
        var documents: Self?
        reader.readObject { object in
            documents = object.required("documents") { documents in
                documents.array(count: 1...rules.settings.maxBulkDocuments) { document in
                    document.apart { NewDocument($0, .any, rules) }.mapError(APIError.init)
                }
            }
        }
        try reader.finish()
        return documents!
    }
}

extension [Result<AddedDocument, APIError>] {
    /// Why none was added, if that has to do with none of them: the server could not.
    fileprivate var commonRefusal: APIError? {
        var refusal: APIError?
        for result in self {
            guard case .failure(let error) = result, error.type.status.kind == .serverError else { return nil }
            refusal = refusal ?? error
        }
        return refusal
    }
}

extension JSONWriter {
    mutating func writeMembers(of result: Result<AddedDocument, APIError>) {
        switch result {
        case .success(let document):
            member("id", document.id.description)
            member("num_chunks", document.chunkCount)
        case .failure(let error):
            writeMembers(of: error)
        }
    }
}
