extension Settings {
    init(reading reader: inout SettingsReader) throws(SettingsError) {
        reader.section = Self.listening
        host = try reader.value(
            "host", default: "127.0.0.1", accepted: "localhost, or an IP address",
            "The address nginx listens on; 0.0.0.0 or :: for all. One that other machines reach needs API keys, or ALLOW_ANONYMOUS"
        ) { IPAddress($0 == "localhost" ? "127.0.0.1" : $0) }
        port = try reader.integer("port", default: 8080, in: 1...65_535, unit: "TCP port", "The port nginx listens on")
        allowAnonymous = try reader.flag(
            "allow_anonymous", default: false, "Whether everybody who reaches HOST may read, change and delete everything")
        tls = try reader.tlsFiles()

        reader.section = Self.clients
        apiVersions = try reader.list(
            "api_versions", default: "v1", accepted: Self.acceptedVersions,
            "The versions of the interface that are served, and when clients are told to leave one"
        ) { APIVersion($0) }
        corsAllowedOrigins = try reader.list(
            "cors_allowed_origins",
            accepted: "none, or at most 100 origins such as https://example.org, in lower case, separated by commas; not *",
            "Sites whose pages may use the server from a browser"
        ) { Origin($0) }
        trustedProxies = try reader.list(
            "trusted_proxies",
            accepted: "none, or at most 100 addresses and networks such as 10.0.0.0/8, separated by commas; not everybody",
            "Proxies before nginx whose X-Forwarded-For says who the client is"
        ) { NetworkBlock($0) }

        reader.section = Self.limitsOfRates
        rateLimits = try reader.rateLimits()

        reader.section = Self.keys
        apiKeysRequired = try reader.flag(
            "api_keys_required", automatic: !host.isLoopback && !allowAnonymous,
            "Whether a request needs a key of `quire keys create`; auto: where other machines reach HOST, unless ALLOW_ANONYMOUS")

        reader.section = Self.storage
        dataDirectory = try reader.path(
            "vector_db_data_dir",
            automatic: reader.machine.isRoot ? "/var/lib/quire" : reader.home.map { $0 + "/.local/share/quire" },
            "What is stored; auto: /var/lib/quire as root, else ~/.local/share/quire")
        keysFile = try reader.path(
            "keys_file", automatic: dataDirectory + "/keys.json",
            "The key ring, which `quire keys` writes; auto: keys.json in the data directory")
        durability = try reader.value(
            "durability", default: "always",
            accepted: "always, os, or interval:<milliseconds> from 1 to \(Durability.intervalRange.upperBound)",
            "When an acknowledged write is on disk", parse: Durability.init)
        snapshotLogBytes = try reader.integer(
            "snapshot_log_bytes", default: 268_435_456, in: 1_048_576...1_099_511_627_776, unit: "bytes",
            "How much the log grows before a snapshot is taken, which then takes its place")
        memoryBudgetBytes = try reader.integer(
            "memory_budget_bytes", automatic: reader.machine.memoryBytes / 5 * 4, in: 67_108_864...1_125_899_906_842_624, unit: "bytes",
            "Memory of the responder beyond which writes are refused with 507; auto: 80 % of the machine's, or of its control group's")
        diskReserveBytes = try reader.integer(
            "disk_reserve_bytes", default: 268_435_456, in: 0...1_099_511_627_776, unit: "bytes",
            "What stays free on the disk: writes that would take it are refused with 507, deletions and snapshots are not")

        reader.section = Self.limitsOfRequests
        maxChunksPerDocument = try reader.integer(
            "max_chunks_per_document", default: 1000, in: 1...100_000, unit: "chunks", "Chunks in one document")
        maxChunkLength = try reader.integer(
            "max_chunk_length", default: 10_000, in: 1...1_000_000, unit: "Unicode scalars", "Length of one chunk's text")
        maxQueryLength = try reader.integer(
            "max_query_length", default: 1000, in: 1...1_000_000, unit: "Unicode scalars", "Length of a search query")
        maxResultsK = try reader.integer("max_results_k", default: 100, in: 1...10_000, unit: "results", "The largest k of a search")
        maxDocumentsPerLibrary = try reader.integer(
            "max_documents_per_library", default: 1_000_000, in: 0...1_000_000_000, unit: "documents, 0 = no limit",
            "Documents in one library")
        maxTagsPerDocument = try reader.integer("max_tags_per_document", default: 50, in: 1...10_000, unit: "tags", "Tags of one document")
        maxTagLength = try reader.integer("max_tag_length", default: 100, in: 1...10_000, unit: "Unicode scalars", "Length of a tag")
        maxTitleLength = try reader.integer("max_title_length", default: 500, in: 1...100_000, unit: "Unicode scalars", "Length of a title")
        maxAuthorLength = try reader.integer(
            "max_author_length", default: 200, in: 1...100_000, unit: "Unicode scalars", "Length of an author's name")
        maxBodyBytes = try reader.integer(
            "max_body_bytes", default: 33_554_432, in: 1024...1_073_741_824, unit: "bytes", "The largest request body")
        maxLineBytes = try reader.integer(
            "max_line_bytes", default: 33_554_432, in: 1024...1_073_741_824, unit: "bytes",
            "The longest line of a streamed request body, which has no limit itself")
        maxBulkDocuments = try reader.integer(
            "max_bulk_documents", default: 100, in: 1...10_000, unit: "documents", "Documents in one batch")
        requestTimeoutSeconds = try reader.integer(
            "request_timeout_seconds", default: 60, in: 1...3600, unit: "seconds",
            "How long the responder may take before nginx answers 503; streams and /v1/admin have ten minutes")

        reader.section = Self.embedding
        embeddingModel = try reader.value(
            "embedding_model", default: "all-minilm-l6-v2", accepted: "a model's name: at most 64 letters, digits and . _ -",
            "The model of libraries that name none (GET /v1/models lists them)", parse: modelName)
        embeddingDimension = try reader.optionalInteger(
            "embedding_dimension", in: 1...65_536, unit: "numbers in a vector",
            "Stops the start when the model's dimension is another; auto: whatever the model has")
        let cache = reader.ambient("XDG_CACHE_HOME") ?? reader.home.map { $0 + "/.cache" }
        modelDirectory = try reader.path(
            "quire_model_dir", automatic: cache.map { $0 + "/quire/models/all-minilm-l6-v2" },
            "The weights of all-minilm-l6-v2; auto: quire/models/all-minilm-l6-v2 in $XDG_CACHE_HOME, else in ~/.cache")

        models = try reader.models("models", "Models of providers on the network besides the built-in ones")
        for variable in Self.keyVariables(of: models) { try reader.checkSecret(variable) }
        queryCacheBytes = try reader.integer(
            "query_cache_bytes", default: 16_777_216, in: 0...1_099_511_627_776, unit: "bytes, 0 = no cache",
            "Memory for the vectors of the queries that were asked last")

        reader.section = Self.processes
        workerThreads = try reader.integer(
            "worker_threads", automatic: max(16, 4 * reader.machine.cores), in: 1...1024, unit: "threads",
            "Requests handled at the same time; auto: 4 per core, at least 16")
        queueLimit = try reader.integer(
            "queue_limit", automatic: 2 * workerThreads, in: 0...2048, unit: "requests",
            "Requests of one class (search, write, read) that wait while as many are handled as may; more are answered with 503 at once; "
                + "auto: 2 * WORKER_THREADS")
        queueTimeoutMS = try reader.integer(
            "queue_timeout_ms", default: 2000, in: 1...20_000, unit: "milliseconds",
            "How long a request waits so; 503 afterwards")
        indexBuildThreads = try reader.integer(
            "index_build_threads", automatic: min(256, reader.machine.cores), in: 1...256, unit: "threads",
            "Threads that build indexes, of lower priority than those of requests; auto: one per core")
        nginxWorkerProcesses = try reader.integer(
            "nginx_worker_processes", automatic: min(64, reader.machine.cores), in: 1...64, unit: "processes",
            "nginx's workers; auto: one per core")
        runDirectory = try reader.socketDirectory(
            "run_directory", automatic: Self.automaticRunDirectory(reader, port: port), socket: RunDirectory.socketName,
            "Socket, nginx's files and pid of this instance; auto: /run/quire/<port> as root, else $XDG_RUNTIME_DIR/quire/<port>, "
                + "else quire-<uid>/<port> in $TMPDIR or /tmp")

        reader.section = Self.logs
        logLevel = try reader.choice("log_level", default: LogLevel.info, "The least severe message that is logged")
        logJSONFormat = try reader.flag("log_json_format", default: false, "Log one JSON object a line instead of text")
        accessLog = try reader.choice(
            "access_log", default: AccessLog.errors,
            "Requests that nginx writes to access.log in the run directory (never rotated by itself); errors: status 400 and above")
        requestLog = try reader.choice(
            "request_log", default: RequestLog.all,
            "Requests of which the responder logs a line, with route, status, duration and library; errors: status 400 and above")
        slowQueryMS = try reader.integer(
            "slow_query_ms", default: 1000, in: 0...3_600_000, unit: "milliseconds, 0 = none",
            "Searches that take longer are logged as warnings, with how they were made")

        try reader.refuseUnknownKeys()
        try refuseContradictions(reader)
    }

    private func refuseContradictions(_ reader: SettingsReader) throws(SettingsError) {
        guard host.isLoopback || allowAnonymous || apiKeysRequired else {
            throw reader.refusal(
                "host",
                accepted: "localhost, 127.0.0.1 or ::1 with API_KEYS_REQUIRED=false; any address with keys, or with ALLOW_ANONYMOUS=true")
        }
        guard !allowAnonymous || !apiKeysRequired else {
            throw reader.refusal("allow_anonymous", accepted: "false where API_KEYS_REQUIRED is true")
        }
        guard !apiVersions.isEmpty, Set(apiVersions.map(\.number)).count == apiVersions.count else {
            throw reader.refusal("api_versions", accepted: Self.acceptedVersions)
        }
        // Backups copy the data directory and restarts clear the run directory: neither may meet the other.
        guard !isSameOrInside(runDirectory, dataDirectory), !isSameOrInside(dataDirectory, runDirectory) else {
            throw reader.refusal("run_directory", accepted: "a directory apart from VECTOR_DB_DATA_DIR (\(oneLine(dataDirectory)))")
        }
    }

    private static let acceptedVersions =
        "versions that this server has (v1), each once, separated by commas; after one perhaps deprecated <YYYY-MM-DD> and, not earlier, "
        + "sunset <YYYY-MM-DD>"

    private static func automaticRunDirectory(_ reader: SettingsReader, port: Int) -> String {
        if reader.machine.isRoot { return "/run/quire/\(port)" }
        // A relative XDG_RUNTIME_DIR is invalid and to be ignored (XDG Base Directory Specification 0.8); the same is done for TMPDIR.
        if let runtime = reader.ambient("XDG_RUNTIME_DIR"), runtime.hasPrefix("/") {
            return "\(withoutTrailingSlashes(runtime))/quire/\(port)"
        }
        let temporary = reader.ambient("TMPDIR").flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
        return "\(withoutTrailingSlashes(temporary))/quire-\(reader.machine.userID)/\(port)"
    }
}

func modelName(_ text: String) -> String? {
    let isName = text.utf8.allSatisfy { byte in
        let scalar = Unicode.Scalar(byte)
        return scalar.properties.isAlphabetic && scalar.isASCII || ("0"..."9").contains(scalar) || [".", "_", "-"].contains(scalar)
    }
    return isName && (1...64).contains(text.utf8.count) ? text : nil
}

private func isSameOrInside(_ path: String, _ directory: String) -> Bool {
    path == directory || path.hasPrefix(directory + "/")
}
