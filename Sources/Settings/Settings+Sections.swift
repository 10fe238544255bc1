/// The headings under which `Config/quire.yaml` and docs/configuration.md have the settings.
extension Settings {
    static let listening = SettingSection(
        title: "Where it listens",
        note: """
            `quire nginx reload` takes them up. The port needs a restart of server and nginx, since the run directory is named after it \
            unless RUN_DIRECTORY says otherwise.
            """)
    static let clients = SettingSection(
        title: "Who asks", note: "`quire nginx reload` takes them up; `GET /` tells of versions after a restart.")
    static let limitsOfRates = SettingSection(
        title: "Rate limits",
        note: """
            Those of one client address, an IPv6 one with its network of 64 bits, and those of one API key. GET and HEAD are not limited, \
            nor is anything outside the versions, such as `/health`. What is too much is 429 with `Retry-After`. nginx keeps rates in \
            thousandths of a request a second, rounded down: 10/minute are 9.96, 1/minute 0.96. `quire nginx reload` takes them up for \
            addresses, a restart of the server for keys.
            """)
    static let keys = SettingSection(
        title: "Keys", note: "A restart of the server takes this up. Keys that are made or revoked need none.")
    static let storage = SettingSection(title: "What it keeps", note: "A restart of the server takes them up.")
    static let limitsOfRequests = SettingSection(
        title: "Limits of a request",
        note: """
            Texts are measured in Unicode scalars. A request over a limit is 422 and names it; a body over MAX_BODY_BYTES is 413. \
            A restart of the server takes them up, and `quire nginx reload` the largest body and the time.
            """)
    static let embedding = SettingSection(title: "Embedding", note: "A restart of the server takes them up.")
    static let processes = SettingSection(
        title: "Processes",
        note:
            "A restart of the server takes them up, `quire nginx reload` the number of nginx's workers, a restart of both the run directory."
    )
    static let logs = SettingSection(
        title: "Logs", note: "A restart of the server takes them up, and `quire nginx reload` the access log.")
}
