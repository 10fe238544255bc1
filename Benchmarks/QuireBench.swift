import ArgumentParser

@main
struct QuireBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quire-bench",
        abstract: "Measures the engine on this machine. Build with -c release and leave the machine alone meanwhile.",
        subcommands: [Exact.self, Index.self, Text.self, Embed.self, Log.self])
}
