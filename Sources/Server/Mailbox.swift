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

    func next() -> Message {
        lock.withLock {
            while messages.isEmpty { arrived.wait(lock) }
            return messages.removeFirst()
        }
    }
}
