import DequeModule
import Locks
import VectorSearch

/// Does the work that indexes have beside searches and changes, on threads of its own and of lower priority: one piece of work at a
/// time, of all libraries that have some in turn.
///
/// A change marks its library, and that is all that it costs the change. The first thread takes the next library, begins a piece of its
/// work under the library's lock, has all threads run it without any lock, and finishes it under the library's lock; a library without
/// work is clean until its next change.
///
/// Lock order: a library's lock, then `lock`.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class IndexBuilder: @unchecked Sendable {
    /// Threads that answer requests get nearly ten times the time of one that builds, where both want a processor (sched(7)).
    static let niceness: Int32 = 10

    private let threadCount: Int
    private let lock = Lock()
    /// The first thread waits here for a library that may have work,
    private let marked = Condition()
    /// the others for a piece of work to join.
    private let begun = Condition()
    /// A library's turn is over, or a thread returned from its work.
    private let settled = Condition()

    /// Libraries that may have work, each once, in the order of their turns.
    private var queue = Deque<Library>()
    private var queued: Set<ObjectIdentifier> = []
    /// Since when libraries have had work without a break. Those that have none are not here.
    private var busy: [ObjectIdentifier: ContinuousClock.Instant] = [:]
    /// The library whose turn it is.
    private var current: Library?
    /// What all threads may join.
    private var work: IndexWork?
    /// Counts the pieces of work, so that a thread joins each at most once.
    private var round = 0
    private var running = 0
    private var threads: [Thread] = []
    private var isStopped: Bool
    private var isPaused = false

    /// - Parameter threads: 0: no index is built, and what is not in one is searched exactly.
    init(threads: Int) {
        precondition(threads >= 0, "a number of threads")
        threadCount = threads
        isStopped = threads == 0
    }

    deinit { precondition(threads.isEmpty, "whoever started the builder stops it") }

    /// Begins with what was marked by now.
    func start() throws(Thread.StartFailed) {
        do {
            for number in 0..<threadCount {
                let thread = try Thread("quire-index-\(number)", niceness: Self.niceness) { [self] in
                    if number == 0 { lead() } else { follow() }
                }
                lock.withLock { threads.append(thread) }
            }
        } catch {
            stop()
            throw error
        }
    }

    /// Cancels the work under way and waits for the threads to end; once is enough, more do no harm. From here on marks mean nothing.
    func stop() {
        let threads = lock.withLock {
            isStopped = true
            work?.cancel()
            queue.removeAll()
            queued.removeAll()
            busy.removeAll()
            marked.broadcast()
            begun.broadcast()
            settled.broadcast()
            defer { self.threads = [] }
            return self.threads
        }
        for thread in threads { thread.join() }
    }

    /// Returns when no work is under way, and lets none begin until `resume`. What is under way ends after the piece it is at.
    func pause() {
        lock.withLock {
            precondition(!isPaused, "paused once")
            isPaused = true
            work?.cancel()
            while !isStopped, current != nil { settled.wait(lock) }
        }
    }

    func resume() {
        lock.withLock {
            isPaused = false
            marked.signal()
        }
    }

    // MARK: What changes say

    /// The library has changed: there may be work.
    func mark(_ library: Library) {
        lock.withLock {
            guard !isStopped, queued.insert(ObjectIdentifier(library)).inserted else { return }
            queue.append(library)
            if busy[ObjectIdentifier(library)] == nil { busy[ObjectIdentifier(library)] = .now }
            marked.signal()
        }
    }

    /// All libraries are gone: what loaded them could not go on. Before `start`.
    func forgetAll() {
        lock.withLock {
            queue.removeAll()
            queued.removeAll()
            busy.removeAll()
        }
    }

    /// The library is gone: nothing is kept for it.
    func forget(_ library: Library) {
        lock.withLock {
            if queued.remove(ObjectIdentifier(library)) != nil { queue.removeAll { $0 === library } }
            busy[ObjectIdentifier(library)] = nil
            if current === library {
                work?.cancel()
                current = nil
            }
            settled.broadcast()
        }
    }

    /// Returns when the library has no work left, or the builder was stopped.
    func waitUntilClean(_ library: Library) {
        lock.withLock {
            while !isStopped, queued.contains(ObjectIdentifier(library)) || current === library { settled.wait(lock) }
        }
    }

    /// How many libraries may have work.
    var busyCount: Int { lock.withLock { busy.count } }

    /// Since when each library that has work has had some.
    var busySince: [ObjectIdentifier: ContinuousClock.Instant] { lock.withLock { busy } }

    // MARK: Threads

    /// What the first thread does: all that happens once for a piece of work.
    private func lead() {
        while let library = nextLibrary() {
            guard let work = library.lock.withWriteLock({ library.beginIndexWork() }) else {
                endTurn()
                continue
            }
            let isWanted = lock.withLock {
                // It may be gone, or all may have ended, since its turn began.
                guard current === library, !isStopped, !isPaused else { return false }
                self.work = work
                round += 1
                begun.broadcast()
                return true
            }
            if isWanted { work.run() } else { work.cancel() }
            lock.withLock {
                self.work = nil
                while running > 0 { settled.wait(lock) }
            }
            library.lock.withWriteLock { library.vectors.finishWork(work) }
            requeue(library)
        }
    }

    /// What the others do: join each piece of work.
    private func follow() {
        var joined = 0
        while true {
            let work: IndexWork? = lock.withLock {
                while !isStopped, self.work == nil || round == joined { begun.wait(lock) }
                guard !isStopped else { return nil }
                joined = round
                running += 1
                return self.work
            }
            guard let work else { return }
            work.run()
            lock.withLock {
                running -= 1
                settled.broadcast()
            }
        }
    }

    /// Waits for a library that may have work; nil: stopped.
    private func nextLibrary() -> Library? {
        lock.withLock {
            while !isStopped, queue.isEmpty || isPaused { marked.wait(lock) }
            guard !isStopped else { return nil }
            let library = queue.removeFirst()
            // Before its work begins, so that a change from here on gives it another turn.
            queued.remove(ObjectIdentifier(library))
            current = library
            return library
        }
    }

    /// There is no work for the library: it is clean, unless it changed meanwhile.
    private func endTurn() {
        lock.withLock {
            if let current, !queued.contains(ObjectIdentifier(current)) { busy[ObjectIdentifier(current)] = nil }
            current = nil
            settled.broadcast()
        }
    }

    /// There may be more work for the library, after all others had their turn.
    private func requeue(_ library: Library) {
        lock.withLock {
            defer { settled.broadcast() }
            guard current === library else { return }
            current = nil
            guard !isStopped, queued.insert(ObjectIdentifier(library)).inserted else { return }
            queue.append(library)
        }
    }
}
