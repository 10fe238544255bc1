import Glibc

/// A file descriptor that is closed when nobody holds it any more, also when an initializer fails half-way.
final class Descriptor {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    deinit { close(number) }
}
