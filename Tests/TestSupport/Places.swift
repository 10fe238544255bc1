import FoundationEssentials
import Glibc

/// The checkout that these tests were built from.
package let checkout = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// Where the programs and the test bundle lie that SwiftPM built.
package let builtProducts: String = {
    let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(filePath: bundle).deletingLastPathComponent().path
}()

/// Where Scripts/bootstrap-model puts the weights of MiniLM; `nil` if they are not there. Scripts/test fetches them first.
package let weightsDirectory: String? = {
    let environment = ProcessInfo.processInfo.environment
    let cache = environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? "") + "/.cache"
    let directory = environment["QUIRE_MODEL_DIR"] ?? cache + "/quire/models/all-minilm-l6-v2"
    return access(directory + "/model.safetensors", R_OK) == 0 ? directory : nil
}()

package let nginxPath = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].first { (path: String) in access(path, X_OK) == 0 }
