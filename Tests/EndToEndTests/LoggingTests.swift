import Logging
import Testing

@testable import Server

@Suite("The logs of the server") struct LoggingTests {
    @Test("metadata that a logger is given is kept until it is taken away")
    func metadata() {
        var handler = JSONLogHandler(label: "test")

        handler[metadataKey: "library"] = "1"
        #expect(handler[metadataKey: "library"] == "1")
        #expect(handler[metadataKey: "document"] == nil)

        handler[metadataKey: "library"] = nil
        #expect(handler.metadata.isEmpty)
    }
}
