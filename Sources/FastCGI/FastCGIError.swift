/// Why a `FastCGIServer` could not start.
package enum FastCGIError: Error, Equatable {
    /// The descriptor is not a listening socket.
    case notListening(descriptor: Int32)
    /// The socket is not a unix socket. libfcgi ends the process on some malformed records, so nobody but nginx may reach it.
    case notUnixSocket(descriptor: Int32)
    /// libfcgi could not be initialised; the code is its own.
    case libraryFailed(code: Int32)
    /// A system call failed with this errno.
    case systemCallFailed(call: String, errno: Int32)
    /// The server has been started before.
    case alreadyStarted
}
