#include "quire_json.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <string_view>
#include <vector>

using namespace simdjson;

struct quire_json_parser {
    dom::parser parser;
    size_t max_depth;
};

// A dom::element is a pointer to the document and an index into its tape; the C structs carry the same two words.
static_assert(sizeof(dom::element) == sizeof(quire_json_value));
static_assert(std::is_trivially_copyable_v<dom::element>);
static_assert(sizeof(dom::array::iterator) == sizeof(quire_json_value));
static_assert(sizeof(dom::object::iterator) == sizeof(quire_json_value));

template <typename To, typename From> static To bits(const From &from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(static_cast<void *>(&to), static_cast<const void *>(&from), sizeof(To));
    return to;
}
static dom::element element(quire_json_value value) { return bits<dom::element>(value); }
static quire_json_value wrap(dom::element element) { return bits<quire_json_value>(element); }

// Depth is bounded by the parser, so the recursion is too.
static bool repeats_a_key(dom::element value) {
    if (value.is_array()) {
        for (dom::element child : dom::array(value)) {
            if ((child.is_array() || child.is_object()) && repeats_a_key(child)) return true;
        }
        return false;
    }
    if (!value.is_object()) return false;
    // Few keys are compared with each other, many are sorted: no hash that somebody could choose keys for.
    constexpr size_t few = 16;
    std::string_view first[few];
    std::vector<std::string_view> all;
    size_t count = 0;
    for (dom::key_value_pair member : dom::object(value)) {
        if (count < few) {
            for (size_t i = 0; i < count; i++) {
                if (first[i] == member.key) return true;
            }
            first[count] = member.key;
        } else {
            if (count == few) all.assign(first, first + few);
            all.push_back(member.key);
        }
        count++;
        if (repeats_a_key(member.value)) return true;
    }
    std::sort(all.begin(), all.end());
    return std::adjacent_find(all.begin(), all.end()) != all.end();
}

static const char *describe(error_code error) {
    switch (error) {
        case EMPTY: return "the body is empty";
        case UTF8_ERROR: return "the body is not valid UTF-8";
        case DEPTH_ERROR: return "arrays and objects are nested too deeply";
        case NUMBER_ERROR: return "a number is malformed or out of range";
        case STRING_ERROR: return "a string has an invalid escape or a lone surrogate";
        case UNCLOSED_STRING: return "a string is not closed";
        case UNESCAPED_CHARS: return "a string contains an unescaped control character";
        case T_ATOM_ERROR: case F_ATOM_ERROR: case N_ATOM_ERROR: return "a literal is malformed";
        case MEMALLOC: case CAPACITY: return "the body is too large to parse";
        default: return "the body is not one well-formed JSON value";
    }
}

// "-0" would read back as the integer zero, which has no sign.
template <typename Number> static size_t write_floating(Number value, char *out) {
    if (value == 0 && std::signbit(value)) {
        std::memcpy(out, "-0.0", 4);
        return 4;
    }
    return std::to_chars(out, out + 32, value).ptr - out;
}

extern "C" {

quire_json_parser *quire_json_parser_create(size_t max_depth) {
    return new (std::nothrow) quire_json_parser{dom::parser(), max_depth};
}

void quire_json_parser_destroy(quire_json_parser *parser) { delete parser; }

size_t quire_json_parser_capacity(const quire_json_parser *parser) { return parser->parser.capacity(); }

const char *quire_json_parse(quire_json_parser *parser, const uint8_t *bytes, size_t count, quire_json_value *root) {
    // A byte-order mark is not JSON (RFC 8259, section 8.1); said apart because editors add it unseen.
    if (count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF) {
        return "the body begins with a byte-order mark";
    }
    if (parser->parser.max_depth() != parser->max_depth || parser->parser.capacity() < count) {
        if (error_code error = parser->parser.allocate(count < 4096 ? 4096 : count, parser->max_depth)) return describe(error);
    }
    dom::element value;
    if (error_code error = parser->parser.parse(bytes, count, true).get(value)) return describe(error);
    try {
        if (repeats_a_key(value)) return "an object has the same key twice";
    } catch (const std::bad_alloc &) {
        return describe(MEMALLOC);
    }
    *root = wrap(value);
    return nullptr;
}

quire_json_type quire_json_type_of(quire_json_value value) {
    switch (element(value).type()) {
        case dom::element_type::NULL_VALUE: return QUIRE_JSON_NULL;
        case dom::element_type::BOOL: return QUIRE_JSON_BOOL;
        case dom::element_type::INT64: return QUIRE_JSON_INTEGER;
        case dom::element_type::UINT64: return QUIRE_JSON_UNSIGNED;
        case dom::element_type::DOUBLE: return QUIRE_JSON_DOUBLE;
        case dom::element_type::STRING: return QUIRE_JSON_STRING;
        case dom::element_type::ARRAY: return QUIRE_JSON_ARRAY;
        default: return QUIRE_JSON_OBJECT;
    }
}

bool quire_json_bool(quire_json_value value) { return element(value).get_bool().value_unsafe(); }

int64_t quire_json_integer(quire_json_value value) { return element(value).get_int64().value_unsafe(); }

double quire_json_double(quire_json_value value) { return element(value).get_double().value_unsafe(); }

void quire_json_string(quire_json_value value, const char **bytes, size_t *count) {
    std::string_view string = element(value).get_string().value_unsafe();
    *bytes = string.data();
    *count = string.size();
}

quire_json_iterator quire_json_array(quire_json_value value) {
    dom::array array = element(value).get_array().value_unsafe();
    quire_json_value begin = bits<quire_json_value>(array.begin());
    return {begin.document, begin.index, bits<quire_json_value>(array.end()).index};
}

bool quire_json_next_element(quire_json_iterator *iterator, quire_json_value *value) {
    if (iterator->index >= iterator->end) return false;
    auto position = bits<dom::array::iterator>(quire_json_value{iterator->document, iterator->index});
    *value = wrap(*position);
    ++position;
    iterator->index = bits<quire_json_value>(position).index;
    return true;
}

size_t quire_json_array_count(quire_json_value value) { return element(value).get_array().value_unsafe().size(); }

quire_json_iterator quire_json_object(quire_json_value value) {
    dom::object object = element(value).get_object().value_unsafe();
    quire_json_value begin = bits<quire_json_value>(object.begin());
    return {begin.document, begin.index, bits<quire_json_value>(object.end()).index};
}

bool quire_json_next_member(
    quire_json_iterator *iterator, const char **key, size_t *key_count, quire_json_value *value) {
    if (iterator->index >= iterator->end) return false;
    auto position = bits<dom::object::iterator>(quire_json_value{iterator->document, iterator->index});
    *key = position.key().data();
    *key_count = position.key().size();
    *value = wrap(position.value());
    ++position;
    iterator->index = bits<quire_json_value>(position).index;
    return true;
}

quire_json_floats quire_json_read_floats(quire_json_value value, float *out, size_t capacity, size_t *count) {
    size_t position = 0;
    for (dom::element child : element(value).get_array().value_unsafe()) {
        double number;
        if (child.get_double().get(number)) {
            *count = position;
            return QUIRE_JSON_FLOATS_NOT_A_NUMBER;
        }
        float narrowed = static_cast<float>(number);
        if (!std::isfinite(narrowed)) {
            *count = position;
            return QUIRE_JSON_FLOATS_OUT_OF_RANGE;
        }
        if (position < capacity) out[position] = narrowed;
        position++;
    }
    *count = position;
    return QUIRE_JSON_FLOATS_OK;
}

size_t quire_json_write_float(float value, char *out) { return write_floating(value, out); }

size_t quire_json_write_double(double value, char *out) { return write_floating(value, out); }

size_t quire_json_write_integer(int64_t value, char *out) { return std::to_chars(out, out + 32, value).ptr - out; }

}
