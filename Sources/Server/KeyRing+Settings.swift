import Database
import Keys
import Settings

/// What a server that other machines reach lacks to serve anybody; one line for the operator. One that is alone on its machine may get its
/// keys later.
func contradictionOfKeys(in settings: Settings) -> String? {
    guard settings.apiKeysRequired, !settings.host.isLoopback else { return nil }
    do throws(KeysError) {
        guard try !KeyRingFile(settings.keysFile).read().hasUsableKey(at: .now()) else { return nil }
        return "HOST: \"\(settings.host)\" is refused while there is no key; `quire keys create` makes one, "
            + "and with ALLOW_ANONYMOUS=true nobody needs one"
    } catch {
        return "KEYS_FILE: \(oneLine("\(error)", limit: 400))"
    }
}
