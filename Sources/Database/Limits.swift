/// Limits of the engine itself. What an operator may choose stands in the settings.
package enum Limits {
    /// The longest vector a library can be made for.
    package static let maxDimension = 8192
}
