/// Query strings of a list that ask for a page that cannot be: 422.
package enum Pages {
    package static let impossible: [(query: String, location: String)] = [
        ("limit=0", "query.limit"), ("limit=1001", "query.limit"), ("limit=-1", "query.limit"), ("limit=x", "query.limit"),
        ("limit=", "query.limit"), ("limit=1.0", "query.limit"), ("limit=99999999999999999999", "query.limit"),
        ("cursor=-1", "query.cursor"), ("cursor=x", "query.cursor"), ("cursor=18446744073709551616", "query.cursor"),
        ("limit=1&limit=2", "query.limit"), ("page=2", "query.page"), ("limit", "query.limit"), ("=1", "query."),
    ]
}
