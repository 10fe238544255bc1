import FoundationEssentials
import Glibc

/// What a test of faults repeats: as often as the variable says, which `Scripts/test --faults` and `Scripts/soak` set, else `standard`
/// times.
package func count(_ variable: String, standard: Int) -> Int {
    guard let text = ProcessInfo.processInfo.environment[variable] else { return standard }
    guard let count = Int(text), count > 0 else { fatalError("\(variable) is not a number of repetitions: \(text)") }
    return count
}

/// Where the chance of a test begins: `QUIRE_SEED` if it is set, else `standard`. Printed, so that a run can be repeated.
package func seed(_ test: String, standard: UInt64) -> UInt64 {
    let seed = ProcessInfo.processInfo.environment["QUIRE_SEED"].flatMap(UInt64.init) ?? standard
    print("seed | \(test) | \(seed)")
    // A crash must not swallow it.
    fflush(nil)
    return seed
}

/// Prints a figure where `Scripts/soak --report` finds it.
package func report(_ figure: String, _ value: String) {
    print("figure | \(figure) | \(value)")
    // Whole, before anything else is printed.
    fflush(nil)
}
