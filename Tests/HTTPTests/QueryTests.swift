import HTTP
import Testing

struct QueryTests {
    @Test("parameters keep their order, escapes and plus signs are decoded")
    func decodes() {
        let query = Query("a=1&b=x%20y+z&a=%C3%A9&flag&=v&e==%3d")

        let expected = [("a", "1"), ("b", "x y z"), ("a", "é"), ("flag", ""), ("", "v"), ("e", "==")]
        #expect(query?.parameters.map(\.name) == expected.map(\.0))
        #expect(query?.parameters.map(\.value) == expected.map(\.1))
    }

    @Test("an empty query has no parameters")
    func empty() {
        #expect(Query("")?.parameters.isEmpty == true)
    }

    @Test(
        "malformed escapes and bytes that are not UTF-8 are refused",
        arguments: ["a=%", "a=%2", "%zz=1", "a=%ff", "a=%c0%af", "a=%ed%a0%80"])
    func refuses(query: String) {
        #expect(Query(query) == nil)
    }
}
