import Locks

/// Where one thread waits for what others have to say, in order.
// Sound as Sendable: `messages` is read and written under `lock`.
final class Mailbox<Message: Sendable>: @unchecked Sendable {
    private let lock = Lock()
    private let arrived = Condition()
    private var messages: [Message] = []

    func post(_ message: Message) {
        lock.withLock {
            messages.append(message)
            arrived.signal()
        }
    }

    /// The next message, or `nil` if none comes in time.
    func next(atMost limit: Duration) -> Message? {
        let deadline = ContinuousClock.now + limit
        return lock.withLock {
            while messages.isEmpty {
                guard arrived.wait(lock, atMost: deadline - ContinuousClock.now) else { break }
            }
            return messages.isEmpty ? nil : messages.removeFirst()
        }
    }

    func next() -> Message {
        lock.withLock {
            while messages.isEmpty { arrived.wait(lock) }
            return messages.removeFirst()
        }
    }
}
