import CPlatform
import Glibc

/// Delivers signals of this process as bytes that can be polled for, for as long as it lives.
final class SignalPipe {
    /// The end to read; each byte is the number of a signal.
    let descriptor: Int32
    private let writingEnd: Int32

    /// At most one exists at a time.
    init(_ signals: [Int32]) throws(SupervisorError) {
        var ends: [Int32] = [-1, -1]
        try checkCall("pipe", quire_pipe(&ends))
        guard quire_signals_redirect(signals, Int32(signals.count), ends[1]) == 0 else {
            let error = errno
            for end in ends { close(end) }
            throw .systemCallFailed("catching signals, which another supervisor in this process does", errno: error)
        }
        (descriptor, writingEnd) = (ends[0], ends[1])
    }

    deinit {
        quire_signals_restore()
        close(descriptor)
        close(writingEnd)
    }
}
