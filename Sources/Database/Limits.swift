/// Limits of the engine itself. What an operator may choose stands in the settings.
package enum Limits {
    /// The longest vector a library can be made for.
    package static let maxDimension = 8192
    /// How many custom fields a document or a chunk may have, and
    package static let maxCustomFields = 64
    /// how many bytes they may take, names included.
    package static let maxCustomBytes = 16 << 10
    /// How deep `$and`, `$or` and `$not` may be nested in a filter,
    package static let maxFilterDepth = 16
    /// how many conditions it may have, and
    package static let maxFilterConditions = 256
    /// how many values `$in` and `$nin` may list.
    package static let maxFilterValues = 10_000
}
