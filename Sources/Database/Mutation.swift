import Storage
import TextSearch
import VectorSearch

/// Every change there is: at once the command, the log record and the input of replay. Nothing changes outside it.
enum Mutation: Equatable {
    case createLibrary(LibraryRecord)
    case updateLibrary(LibraryID, LibraryChange, at: Timestamp)
    case deleteLibrary(LibraryID)
    /// Creates the document, or replaces the one with its id.
    case putDocument(DocumentRecord)
    case deleteDocument(DocumentID, in: LibraryID, at: Timestamp)
    case updateDocument(DocumentUpdate)
    /// Builds the library's index anew, in this configuration.
    case rebuildIndex(LibraryID, IndexConfiguration, at: Timestamp)
    /// From here on the library has a successor: itself, with no documents yet, for vectors of another source.
    case beginReembedding(LibraryID, EmbeddingSource)
    /// Gives the successor a document that the library has.
    case stageDocument(StagedDocument)
    /// Puts the successor, which has all documents and is of this source, in the place of the library.
    case finishReembedding(LibraryID, EmbeddingSource, at: Timestamp)
    /// Gives up the successor.
    case cancelReembedding(LibraryID)

    /// Whether it frees what it takes and more: what a full disk and a full memory still have room for.
    var givesBack: Bool {
        switch self {
        case .deleteLibrary, .deleteDocument, .cancelReembedding, .finishReembedding: true
        case .createLibrary, .updateLibrary, .putDocument, .updateDocument, .rebuildIndex, .beginReembedding, .stageDocument: false
        }
    }

    /// The chunks that it brings.
    var newChunks: [ChunkRecord] {
        switch self {
        case .putDocument(let document): document.chunks
        case .updateDocument(let update): update.put
        case .createLibrary, .updateLibrary, .deleteLibrary, .deleteDocument, .rebuildIndex, .beginReembedding, .stageDocument,
            .finishReembedding, .cancelReembedding:
            []
        }
    }

    var libraryID: LibraryID {
        switch self {
        case .createLibrary(let record): record.id
        case .updateLibrary(let id, _, _), .deleteLibrary(let id), .rebuildIndex(let id, _, _), .beginReembedding(let id, _),
            .finishReembedding(let id, _, _), .cancelReembedding(let id):
            id
        case .stageDocument(let staged): staged.libraryID
        case .putDocument(let record): record.libraryID
        case .updateDocument(let update): update.libraryID
        case .deleteDocument(_, let id, _): id
        }
    }

    var endsReembedding: Bool {
        if case .finishReembedding = self { true } else { false }
    }

    /// Whether it changes the library or what is in it, as clients see them.
    var isVisible: Bool {
        switch self {
        case .beginReembedding, .stageDocument, .cancelReembedding: false
        case .createLibrary, .updateLibrary, .deleteLibrary, .putDocument, .updateDocument, .deleteDocument, .rebuildIndex,
            .finishReembedding:
            true
        }
    }
}

/// How mutations are written to the log; docs/file-formats.md has the fields as tables. A record type never changes its meaning:
/// what differs gets a new version of the record.
extension Mutation {
    /// A record that changes nothing, and that its reader skips as it skips what a later version wrote: a purge wants a new sequence
    /// number.
    static let markType: UInt8 = 7

    /// Type 0 belongs to the log itself.
    enum RecordType: UInt8 {
        case createLibrary = 1
        case updateLibrary = 2
        case deleteLibrary = 3
        case putDocument = 4
        case deleteDocument = 5
        case rebuildIndex = 6
        case updateDocument = 8
        case beginReembedding = 9
        case stageDocument = 10
        case finishReembedding = 11
        case cancelReembedding = 12

        /// The one that is written; those before it stay readable.
        var version: UInt8 {
            switch self {
            case .createLibrary, .updateLibrary: 5
            case .putDocument: 2
            case .deleteLibrary, .deleteDocument, .updateDocument, .rebuildIndex, .beginReembedding, .stageDocument, .finishReembedding,
                .cancelReembedding:
                1
            }
        }
    }

    var recordType: RecordType {
        switch self {
        case .createLibrary: .createLibrary
        case .updateLibrary: .updateLibrary
        case .deleteLibrary: .deleteLibrary
        case .putDocument: .putDocument
        case .deleteDocument: .deleteDocument
        case .updateDocument: .updateDocument
        case .rebuildIndex: .rebuildIndex
        case .beginReembedding: .beginReembedding
        case .stageDocument: .stageDocument
        case .finishReembedding: .finishReembedding
        case .cancelReembedding: .cancelReembedding
        }
    }

    func encoded() -> [UInt8] {
        var writer = BinaryWriter(capacity: encodedSizeEstimate)
        switch self {
        case .createLibrary(let library):
            writer.write(library)
        case .updateLibrary(let id, let change, let time):
            writer.write(id)
            writer.write(optional: change.name)
            writer.write(change.description != nil)
            writer.write(optional: change.description ?? nil)
            writer.write(change.indexParameters)
            writer.write(optional: change.k1)
            writer.write(optional: change.b)
            writer.write(optional: change.fingerprint)
            writer.write(optional: change.minimumRecall)
            writer.write(time.milliseconds)
        case .deleteLibrary(let id), .cancelReembedding(let id):
            writer.write(id)
        case .putDocument(let document):
            writer.write(document)
        case .deleteDocument(let id, let libraryID, let time):
            writer.write(id)
            writer.write(libraryID)
            writer.write(time.milliseconds)
        case .updateDocument(let update):
            writer.write(update)
        case .rebuildIndex(let id, let index, let time):
            writer.write(id)
            writer.write(index)
            writer.write(time.milliseconds)
        case .beginReembedding(let id, let source):
            writer.write(id)
            writer.write(source)
        case .stageDocument(let staged):
            writer.write(staged.id)
            writer.write(staged.libraryID)
            writer.write(UInt32(staged.embeddings.count))
            for embedding in staged.embeddings {
                writer.write(UInt32(embedding.count))
                writer.write(floats: embedding)
            }
        case .finishReembedding(let id, let source, let time):
            writer.write(id)
            writer.write(source)
            writer.write(time.milliseconds)
        }
        return writer.bytes
    }

    /// Nearly all of a large record is vectors and text.
    private var encodedSizeEstimate: Int {
        if case .stageDocument(let staged) = self { return staged.embeddings.reduce(64) { $0 + 4 + 4 * $1.count } }
        return newChunks.reduce(512) { $0 + 64 + $1.text.utf8.count + 4 * $1.embedding.count }
    }

    /// - Throws: `malformedPayload` if the payload is not what the record's type promises, `unsupportedRecord` for a type of a later version.
    init(record: LogRecord) throws(StorageError) {
        guard let type = RecordType(rawValue: record.type), (1...type.version).contains(record.version) else {
            throw .unsupportedRecord(type: record.type, version: record.version)
        }
        var reader = BinaryReader(record.payload)
        switch type {
        case .createLibrary:
            self = .createLibrary(try reader.readLibrary(version: record.version))
        case .updateLibrary:
            let id: LibraryID = try reader.readID()
            let name = try reader.readOptionalString()
            let changesDescription = try reader.readBool()
            let description = try reader.readOptionalString()
            let parameters = record.version == 1 ? [:] : try reader.readIndexParameters()
            let k1 = record.version < 3 ? nil : try reader.readOptionalNumber(in: TextOptions.k1Range)
            let b = record.version < 3 ? nil : try reader.readOptionalNumber(in: TextOptions.bRange)
            let fingerprint = record.version < 4 ? nil : try reader.readOptionalBytes()
            let minimumRecall = record.version < 5 ? nil : try reader.readOptionalNumber(in: LibraryRecord.recallRange)
            let change = LibraryChange(
                name: name, description: changesDescription ? .some(description) : nil, indexParameters: parameters, k1: k1, b: b,
                minimumRecall: minimumRecall, fingerprint: fingerprint)
            self = .updateLibrary(id, change, at: try reader.readTimestamp())
        case .deleteLibrary:
            self = .deleteLibrary(try reader.readID())
        case .putDocument:
            self = .putDocument(try reader.readDocument(version: record.version))
        case .deleteDocument:
            self = .deleteDocument(try reader.readID(), in: try reader.readID(), at: try reader.readTimestamp())
        case .updateDocument:
            self = .updateDocument(try reader.readDocumentUpdate())
        case .rebuildIndex:
            self = .rebuildIndex(try reader.readID(), try reader.readIndex(), at: try reader.readTimestamp())
        case .beginReembedding:
            self = .beginReembedding(try reader.readID(), try reader.readSource())
        case .stageDocument:
            let (id, libraryID): (DocumentID, LibraryID) = (try reader.readID(), try reader.readID())
            var embeddings: [[Float]] = []
            for _ in 0..<(try reader.readUInt32()) {
                embeddings.append(try reader.readFloats(count: Int(try reader.readUInt32())))
            }
            self = .stageDocument(StagedDocument(id: id, libraryID: libraryID, embeddings: embeddings))
        case .finishReembedding:
            self = .finishReembedding(try reader.readID(), try reader.readSource(), at: try reader.readTimestamp())
        case .cancelReembedding:
            self = .cancelReembedding(try reader.readID())
        }
        try reader.finish()
    }
}

extension BinaryWriter {
    mutating func write<Object>(_ id: Identifier<Object>) {
        write(uuid: (high: id.high, low: id.low))
    }

    mutating func write(optional text: String?) {
        write(text != nil)
        if let text { write(text) }
    }

    mutating func write(_ index: IndexConfiguration) {
        write(index.kind.rawValue)
        write(index.quantization.rawValue)
        write(index.chosen)
    }

    /// In one order, so that equal changes have equal bytes.
    mutating func write(_ parameters: [IndexParameter: Int]) {
        write(UInt32(parameters.count))
        for parameter in IndexParameter.allCases {
            guard let value = parameters[parameter] else { continue }
            write(parameter.rawValue)
            write(UInt32(value))
        }
    }

    mutating func write(_ library: LibraryRecord) {
        write(library.id)
        write(library.name)
        write(optional: library.description)
        write(library.metric.rawValue)
        write(UInt32(library.dimension))
        write(library.model)
        write(library.index)
        write(library.createdAt.milliseconds)
        write(library.text.k1)
        write(library.text.b)
        write(library.text.stopWords)
        write(library.text.stemmer)
        write(optional: library.source.fingerprint)
        write(library.minimumRecall)
    }

    mutating func write(_ source: EmbeddingSource) {
        write(source.model)
        write(UInt32(source.dimension))
        write(optional: source.fingerprint)
    }

    /// A count of bytes, then these.
    fileprivate mutating func write(optional bytes: [UInt8]?) {
        write(bytes != nil)
        guard let bytes else { return }
        write(UInt32(bytes.count))
        for byte in bytes { write(byte) }
    }

    mutating func write(optional number: Double?) {
        write(number != nil)
        if let number { write(number) }
    }

    mutating func write(_ metadata: DocumentMetadata) {
        write(metadata.title)
        write(optional: metadata.author)
        write(metadata.documentType)
        write(optional: metadata.sourceURL)
        write(UInt32(metadata.tags.count))
        for tag in metadata.tags { write(tag) }
        write(metadata.custom)
    }

    /// Each with a byte that says what it is.
    mutating func write(_ custom: CustomFields) {
        write(UInt32(custom.fields.count))
        for field in custom.fields {
            write(field.name)
            switch field.value {
            case .null: write(0 as UInt8)
            case .bool(let flag):
                write(1 as UInt8)
                write(flag)
            case .number(let number):
                write(2 as UInt8)
                write(number)
            case .string(let text):
                write(3 as UInt8)
                write(text)
            case .numbers(let numbers):
                write(4 as UInt8)
                write(UInt32(numbers.count))
                for number in numbers { write(number) }
            case .strings(let strings):
                write(5 as UInt8)
                write(UInt32(strings.count))
                for text in strings { write(text) }
            }
        }
    }

    mutating func write(offsets: Range<Int>?) {
        write(offsets != nil)
        guard let offsets else { return }
        write(UInt32(offsets.lowerBound))
        write(UInt32(offsets.upperBound))
    }

    private mutating func write(_ number: Double) { write(Int64(bitPattern: number.bitPattern)) }

    mutating func write(_ document: DocumentRecord) {
        write(document.id)
        write(document.libraryID)
        write(document.metadata)
        write(document.writtenAt.milliseconds)
        write(document.chunks)
    }

    mutating func write(_ update: DocumentUpdate) {
        write(update.id)
        write(update.libraryID)
        write(update.metadata != nil)
        if let metadata = update.metadata { write(metadata) }
        write(UInt32(update.removed.count))
        for id in update.removed { write(id) }
        write(update.put)
        write(update.writtenAt.milliseconds)
    }

    private mutating func write(_ chunks: [ChunkRecord]) {
        write(UInt32(chunks.count))
        for chunk in chunks {
            write(chunk.id)
            write(chunk.text)
            write(Int64(chunk.pageNumber ?? -1))
            write(offsets: chunk.offsets)
            write(chunk.custom)
            write(UInt32(chunk.embedding.count))
            write(floats: chunk.embedding)
        }
    }
}

extension BinaryReader {
    mutating func readID<Object>() throws(StorageError) -> Identifier<Object> {
        let (high, low) = try readUUID()
        return Identifier(high: high, low: low)
    }

    mutating func readOptionalString() throws(StorageError) -> String? {
        try readBool() ? try readString() : nil
    }

    mutating func readTimestamp() throws(StorageError) -> Timestamp {
        Timestamp(milliseconds: try readInt64())
    }

    mutating func readCase<Value: RawRepresentable>(of _: Value.Type) throws(StorageError) -> Value
    where Value.RawValue == String {
        let text = try readString()
        guard let value = Value(rawValue: text) else {
            throw .malformedPayload(offset: 0, reason: "this version knows no \(Value.self) '\(text)'")
        }
        return value
    }

    mutating func readLibrary(version: UInt8) throws(StorageError) -> LibraryRecord {
        let id: LibraryID = try readID()
        let name = try readString()
        let description = try readOptionalString()
        let metric = try readCase(of: Metric.self)
        let dimension = try readDimension()
        let model = try readString()
        let index = version == 1 ? IndexConfiguration(try readCase(of: IndexKind.self)) : try readIndex()
        let createdAt = try readTimestamp()
        let text = version < 3 ? TextOptions() : try readTextOptions()
        let fingerprint = version < 4 ? nil : try readOptionalBytes()
        let minimumRecall = version < 5 ? 0 : try readNumber(in: LibraryRecord.recallRange)
        return LibraryRecord(
            id: id, name: name, description: description, metric: metric, dimension: dimension, model: model,
            fingerprint: fingerprint, index: index, text: text, minimumRecall: minimumRecall, createdAt: createdAt)
    }

    mutating func readSource() throws(StorageError) -> EmbeddingSource {
        EmbeddingSource(model: try readString(), dimension: try readDimension(), fingerprint: try readOptionalBytes())
    }

    private mutating func readDimension() throws(StorageError) -> Int {
        let dimension = Int(try readUInt32())
        guard (1...Limits.maxDimension).contains(dimension) else {
            throw .malformedPayload(offset: 0, reason: "dimension \(dimension)")
        }
        return dimension
    }

    mutating func readOptionalBytes() throws(StorageError) -> [UInt8]? {
        guard try readBool() else { return nil }
        return try readBytes(count: Int(try readUInt32()))
    }

    private mutating func readTextOptions() throws(StorageError) -> TextOptions {
        let (k1, b) = (try readNumber(in: TextOptions.k1Range), try readNumber(in: TextOptions.bRange))
        return TextOptions(k1: k1, b: b, stopWords: try readBool(), stemmer: try readBool())
    }

    mutating func readOptionalNumber(in range: ClosedRange<Double>) throws(StorageError) -> Double? {
        try readBool() ? try readNumber(in: range) : nil
    }

    private mutating func readNumber(in range: ClosedRange<Double>) throws(StorageError) -> Double {
        let number = try readNumber()
        guard range.contains(number) else { throw .malformedPayload(offset: 0, reason: "a constant of \(number)") }
        return number
    }

    mutating func readIndex() throws(StorageError) -> IndexConfiguration {
        let kind = try readCase(of: IndexKind.self)
        let quantization = try readCase(of: Quantization.self)
        guard kind.quantizations.contains(quantization) else {
            throw .malformedPayload(offset: 0, reason: "an index \(kind.rawValue) of \(quantization.rawValue)")
        }
        let parameters = try readIndexParameters()
        guard parameters.keys.allSatisfy(kind.parameters.contains) else {
            throw .malformedPayload(offset: 0, reason: "parameters of another index than \(kind.rawValue)")
        }
        return IndexConfiguration(kind, quantization: quantization, chosen: parameters)
    }

    mutating func readIndexParameters() throws(StorageError) -> [IndexParameter: Int] {
        var parameters: [IndexParameter: Int] = [:]
        for _ in 0..<(try readUInt32()) {
            let parameter = try readCase(of: IndexParameter.self)
            let value = Int(try readUInt32())
            guard parameter.range.contains(value), parameters.updateValue(value, forKey: parameter) == nil else {
                throw .malformedPayload(offset: 0, reason: "\(parameter.rawValue) \(value)")
            }
        }
        return parameters
    }

    /// - Parameter hasCustom: whether custom fields follow, as they do since version 2 of the record.
    mutating func readMetadata(hasCustom: Bool = true) throws(StorageError) -> DocumentMetadata {
        var metadata = DocumentMetadata(title: try readString())
        metadata.author = try readOptionalString()
        metadata.documentType = try readString()
        metadata.sourceURL = try readOptionalString()
        for _ in 0..<(try readUInt32()) { metadata.tags.append(try readString()) }
        if hasCustom { metadata.custom = try readCustom() }
        return metadata
    }

    mutating func readCustom() throws(StorageError) -> CustomFields {
        var fields: [(name: String, value: CustomFields.Value)] = []
        for _ in 0..<(try readUInt32()) { fields.append((try readString(), try readCustomValue())) }
        guard let custom = CustomFields(fields) else { throw .malformedPayload(offset: 0, reason: "a custom field comes twice") }
        return custom
    }

    private mutating func readCustomValue() throws(StorageError) -> CustomFields.Value {
        switch try readUInt8() {
        case 0: return .null
        case 1: return .bool(try readBool())
        case 2: return .number(try readNumber())
        case 3: return .string(try readString())
        case 4:
            var numbers: [Double] = []
            for _ in 0..<(try readUInt32()) { numbers.append(try readNumber()) }
            return .numbers(numbers)
        case 5:
            var strings: [String] = []
            for _ in 0..<(try readUInt32()) { strings.append(try readString()) }
            return .strings(strings)
        case let other: throw .malformedPayload(offset: 0, reason: "a custom field of kind \(other)")
        }
    }

    private mutating func readNumber() throws(StorageError) -> Double {
        let number = Double(bitPattern: UInt64(bitPattern: try readInt64()))
        guard number.isFinite else { throw .malformedPayload(offset: 0, reason: "a custom field of \(number)") }
        return number
    }

    mutating func readPage() throws(StorageError) -> Int? {
        let page = try readInt64()
        // A chunk holds it in 32 bits.
        guard page <= Int32.max else { throw .malformedPayload(offset: 0, reason: "page \(page)") }
        return page < 0 ? nil : Int(page)
    }

    mutating func readOffsets() throws(StorageError) -> Range<Int>? {
        guard try readBool() else { return nil }
        let (start, end) = (try readUInt32(), try readUInt32())
        guard start <= end, end <= Int32.max else { throw .malformedPayload(offset: 0, reason: "offsets \(start) to \(end)") }
        return Int(start)..<Int(end)
    }

    mutating func readDocument(version: UInt8) throws(StorageError) -> DocumentRecord {
        let id: DocumentID = try readID()
        let libraryID: LibraryID = try readID()
        let metadata = try readMetadata(hasCustom: version > 1)
        let writtenAt = try readTimestamp()
        return DocumentRecord(
            id: id, libraryID: libraryID, metadata: metadata, chunks: try readChunks(hasCustom: version > 1), writtenAt: writtenAt)
    }

    mutating func readDocumentUpdate() throws(StorageError) -> DocumentUpdate {
        let id: DocumentID = try readID()
        let libraryID: LibraryID = try readID()
        let metadata = try readBool() ? try readMetadata() : nil
        var removed: [ChunkID] = []
        for _ in 0..<(try readUInt32()) { removed.append(try readID()) }
        let put = try readChunks()
        return DocumentUpdate(
            id: id, libraryID: libraryID, metadata: metadata, removed: removed, put: put, writtenAt: try readTimestamp())
    }

    private mutating func readChunks(hasCustom: Bool = true) throws(StorageError) -> [ChunkRecord] {
        var chunks: [ChunkRecord] = []
        for _ in 0..<(try readUInt32()) {
            let id: ChunkID = try readID()
            let text = try readString()
            let page = try readPage()
            let offsets = hasCustom ? try readOffsets() : nil
            let custom = hasCustom ? try readCustom() : CustomFields()
            let embedding = try readFloats(count: Int(try readUInt32()))
            chunks.append(ChunkRecord(id: id, text: text, pageNumber: page, offsets: offsets, custom: custom, embedding: embedding))
        }
        return chunks
    }
}
