// swift-tools-version: 6.2
// The arrows of the project: a target may import exactly what is listed here (checked in CI).
// docs/architecture.md says what each room is for.
import PackageDescription

let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let collections: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")

let package = Package(
    name: "quire",
    products: [
        .executable(name: "quire-server", targets: ["Server"]),
        .executable(name: "quire", targets: ["CLI"]),
        .executable(name: "quire-bench", targets: ["Benchmarks"]),
        // Preloaded into a program by the tests of faults.
        .library(name: "quire-faults", type: .dynamic, targets: ["CFaultInjection"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    ],
    targets: [
        // C underneath.
        .systemLibrary(
            name: "CFastCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
        .target(name: "CVectorKernels"),
        .target(name: "CEmbeddingKernels"),
        .systemLibrary(
            name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(
            name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "CSimdJSON", linkerSettings: [.linkedLibrary("simdjson")]),
        .target(name: "CPlatform"),
        .target(name: "CBenchmarks"),

        // The engine.
        .target(name: "VectorSearch", dependencies: ["CVectorKernels", "CPlatform", "Locks"]),
        .target(name: "Locks", dependencies: ["CPlatform"]),
        .target(name: "Storage", dependencies: ["CPlatform", "Locks"]),
        .target(name: "TextSearch"),
        .target(name: "Database", dependencies: ["VectorSearch", "TextSearch", "Storage", "CPlatform", "Locks", collections]),
        .target(name: "Archives", dependencies: ["CArchive", "Storage"]),
        .target(name: "Chunking"),
        .target(name: "Embedding", dependencies: ["CEmbeddingKernels", "CCurl", "JSON", "Locks"]),

        // Who may ask.
        .target(name: "Keys", dependencies: ["CCrypto", "Storage", "Database", "JSON", "Locks"]),

        // The wire.
        .target(name: "JSON", dependencies: ["CSimdJSON", "Locks"]),
        .target(name: "HTTP", dependencies: [httpTypes]),
        .target(name: "Prometheus", dependencies: ["Locks", metrics]),
        .target(
            name: "API",
            dependencies: [
                "Database", "Storage", "Archives", "VectorSearch", "TextSearch", "Chunking", "Embedding", "JSON", "HTTP", "Settings",
                "Keys", "Locks", "Prometheus", httpTypes, logging, metrics,
            ],
            resources: [.embedInCode("Resources")]),
        .target(name: "FastCGI", dependencies: ["CFastCGI", "CPlatform", "Locks", "HTTP", httpTypes]),

        // The process.
        .target(name: "Settings", dependencies: [configuration]),
        .target(name: "Supervisor", dependencies: ["CPlatform", logging]),
        .executableTarget(
            name: "Server",
            dependencies: [
                "API", "FastCGI", "Database", "Storage", "Embedding", "JSON", "Settings", "Keys", "Supervisor", "Locks", "CPlatform",
                "Prometheus", logging, metrics, argumentParser,
            ]),
        .executableTarget(
            name: "CLI", dependencies: ["Settings", "Keys", "Database", "Storage", "Archives", "JSON", argumentParser]),
        .executableTarget(
            name: "Benchmarks",
            dependencies: ["VectorSearch", "TextSearch", "Embedding", "Storage", "Locks", "CBenchmarks", argumentParser],
            path: "Benchmarks",
            exclude: [
                "README.md", "durability", "ingest", "instance.py", "load", "make-sift", "manual_pages.py", "peers.py", "requirements.txt",
                "search-check", "text-check", "wordnet-check",
            ]),

        // Tests mirror the targets; the end-to-end tests run the built programs behind a real nginx.
        .target(name: "TestSupport", dependencies: ["Locks", "HTTP", httpTypes], path: "Tests/TestSupport"),
        .testTarget(name: "LocksTests", dependencies: ["Locks", "TestSupport"]),
        .testTarget(name: "VectorSearchTests", dependencies: ["VectorSearch", "CVectorKernels", "TestSupport"]),
        .testTarget(name: "TextSearchTests", dependencies: ["TextSearch", "TestSupport"], exclude: ["Fixtures"]),
        .target(name: "StorageTestSupport", dependencies: ["Storage", "Locks"], path: "Tests/StorageTestSupport"),
        .testTarget(name: "StorageTests", dependencies: ["Storage", "Locks", "CPlatform", "TestSupport", "StorageTestSupport"]),
        .testTarget(name: "ArchivesTests", dependencies: ["Archives", "Database", "Storage", "VectorSearch", "TestSupport"]),
        .target(name: "DatabaseTestSupport", dependencies: ["Database"], path: "Tests/DatabaseTestSupport"),
        .testTarget(
            name: "DatabaseTests",
            dependencies: [
                "Database", "Storage", "VectorSearch", "TextSearch", "Locks", "TestSupport", "StorageTestSupport", "DatabaseTestSupport",
            ],
            exclude: ["Fixtures"]),
        .testTarget(name: "ChunkingTests", dependencies: ["Chunking", "Embedding", "TestSupport"]),
        .testTarget(
            name: "EmbeddingTests", dependencies: ["Embedding", "CEmbeddingKernels", "JSON", "Locks", "TestSupport"], exclude: ["Fixtures"]),
        .testTarget(name: "KeysTests", dependencies: ["Keys", "Storage", "Database", "TestSupport", "StorageTestSupport"]),
        .testTarget(name: "JSONTests", dependencies: ["JSON"]),
        .testTarget(name: "PrometheusTests", dependencies: ["Prometheus", "Locks", "TestSupport", metrics]),
        .testTarget(name: "HTTPTests", dependencies: ["HTTP", "TestSupport", httpTypes]),
        .testTarget(
            name: "APITests",
            dependencies: [
                "API", "Database", "Storage", "VectorSearch", "TextSearch", "Embedding", "HTTP", "Settings", "Keys", "Locks", "Prometheus",
                "TestSupport", httpTypes, logging,
            ]),
        .testTarget(name: "FastCGITests", dependencies: ["FastCGI", "CFastCGI", "CPlatform", "HTTP", "TestSupport", httpTypes]),
        .testTarget(name: "SupervisorTests", dependencies: ["Supervisor", "CPlatform", "Locks", "TestSupport", logging]),
        .testTarget(name: "SettingsTests", dependencies: ["Settings", "TestSupport"]),
        .testTarget(name: "CLITests", dependencies: ["CLI", "Settings", "Keys", "Database", "Storage", "VectorSearch", "TestSupport"]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["TestSupport", "Server", "CLI", "Settings", "Keys", "Database", "Locks", "HTTP", httpTypes, logging]),

        // Faults: run by `Scripts/test --faults` and, at length, `Scripts/soak`.
        .executableTarget(
            name: "StorageExerciser", dependencies: ["Database", "Storage", "VectorSearch", "Locks"], path: "Tests/StorageExerciser"),
        .target(name: "CFaultInjection", path: "Tests/CFaultInjection"),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "API", "Database", "Storage", "VectorSearch", "Embedding", "Settings", "JSON", "HTTP", "FastCGI", "Locks", "CPlatform",
                "TestSupport", "StorageTestSupport", "DatabaseTestSupport", httpTypes, logging,
            ],
            path: "Tests/Fuzz/Targets"),
        .testTarget(
            name: "FaultTests",
            dependencies: [
                "TestSupport", "FuzzTargets", "StorageExerciser", "Server", "CLI", "Database", "Storage", "VectorSearch", "Locks", "HTTP",
                httpTypes,
            ]),
    ],
    cxxLanguageStandard: .cxx17
)

// libFuzzer drives this program, so it links only with `-sanitize=fuzzer`: Scripts/lib/faults.sh builds it.
if Context.environment["QUIRE_FUZZ"] == "1" {
    package.targets += [
        .systemLibrary(name: "CLibFuzzer", path: "Tests/Fuzz/CLibFuzzer"),
        .executableTarget(name: "Fuzz", dependencies: ["FuzzTargets", "CLibFuzzer"], path: "Tests/Fuzz/Driver"),
    ]
}

// Scripts/lib/faults.sh sets it for the sanitizers: each builds what it looks at, and not all the rest as well.
if Context.environment["QUIRE_SANITIZED"] == "1" {
    var needed: Set = [
        "LocksTests", "StorageTests", "DatabaseTests", "VectorSearchTests", "TextSearchTests", "KeysTests", "JSONTests", "HTTPTests",
        "FastCGITests",
    ]
    var rest = Array(needed)
    while let name = rest.popLast() {
        for case .byNameItem(let name, _) in package.targets.first(where: { $0.name == name })?.dependencies ?? []
        where needed.insert(name).inserted {
            rest.append(name)
        }
    }
    package.targets.removeAll { !needed.contains($0.name) }
    package.products = []
}

// Scripts/test sets it: a warning is an error there, and not for somebody with a newer compiler.
let isStrict = Context.environment["QUIRE_STRICT"] == "1"

for target in package.targets where target.type != .system && !target.name.hasPrefix("C") || target.name == "CLI" {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ]
    if isStrict { target.swiftSettings?.append(.treatAllWarnings(as: .error)) }
    // Scripts/lib sets it: the loops of these take minutes without. Their assertions stay.
    if Context.environment["QUIRE_OPTIMIZE"] == "1",
        [
            "Storage", "Database", "VectorSearch", "VectorSearchTests", "TextSearch", "TextSearchTests", "TestSupport",
            "StorageTestSupport",
        ].contains(target.name)
    {
        target.swiftSettings?.append(.unsafeFlags(["-O", "-assert-config", "Debug"]))
    }
}
