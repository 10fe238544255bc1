import Database

@testable import Keys

let noon = Timestamp("2026-11-27T12:00:00Z")!

extension Timestamp {
    func adding(_ duration: Duration) -> Timestamp { Timestamp(milliseconds: milliseconds + Int64(duration / .milliseconds(1))) }
}

extension KeyRing {
    /// Why a credential is refused at a moment; `nil` if it is not.
    func refusal(of credential: Credential, at time: Timestamp = noon) -> KeyRefusal? {
        do throws(KeyRefusal) {
            _ = try access(of: credential, at: time)
            return nil
        } catch {
            return error
        }
    }
}

extension KeyRingFile {
    /// What is wrong with the file; `nil` if it can be read.
    var problem: KeysError? {
        do throws(KeysError) {
            _ = try read()
            return nil
        } catch {
            return error
        }
    }
}
