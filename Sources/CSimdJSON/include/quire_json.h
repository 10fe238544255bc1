// A small C interface over simdjson's DOM, and the number formatting that goes with it.
// Nothing here throws and nothing here owns the input: a parser keeps its own copy of what it parsed.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct quire_json_parser quire_json_parser;

/// A place in a parsed document. Valid until the parser parses again or is destroyed.
typedef struct {
    const void *document;
    size_t index;
} quire_json_value;

/// The rest of an array or an object.
typedef struct {
    const void *document;
    size_t index;
    size_t end;
} quire_json_iterator;

typedef enum {
    QUIRE_JSON_NULL,
    QUIRE_JSON_BOOL,
    QUIRE_JSON_INTEGER,
    QUIRE_JSON_UNSIGNED,  // an integer above INT64_MAX
    QUIRE_JSON_DOUBLE,
    QUIRE_JSON_STRING,
    QUIRE_JSON_ARRAY,
    QUIRE_JSON_OBJECT,
} quire_json_type;

/// max_depth: arrays and objects nested deeper are refused. Returns NULL when memory is short.
quire_json_parser *quire_json_parser_create(size_t max_depth);
void quire_json_parser_destroy(quire_json_parser *parser);
/// Bytes the parser keeps for its next document.
size_t quire_json_parser_capacity(const quire_json_parser *parser);

/// Parses one whole document and checks that no object repeats a key.
/// Returns NULL on success, else what is wrong, in words (static storage).
const char *quire_json_parse(quire_json_parser *parser, const uint8_t *bytes, size_t count, quire_json_value *root);

quire_json_type quire_json_type_of(quire_json_value value);
bool quire_json_bool(quire_json_value value);
int64_t quire_json_integer(quire_json_value value);
/// Any number as a double.
double quire_json_double(quire_json_value value);
/// UTF-8, not NUL-terminated; may contain NUL.
void quire_json_string(quire_json_value value, const char **bytes, size_t *count);

/// The elements of an array.
quire_json_iterator quire_json_array(quire_json_value value);
bool quire_json_next_element(quire_json_iterator *iterator, quire_json_value *value);
/// Saturates at 0xFFFFFF.
size_t quire_json_array_count(quire_json_value value);

/// The members of an object, in the order of the text.
quire_json_iterator quire_json_object(quire_json_value value);
bool quire_json_next_member(
    quire_json_iterator *iterator, const char **key, size_t *key_count, quire_json_value *value);

typedef enum { QUIRE_JSON_FLOATS_OK, QUIRE_JSON_FLOATS_NOT_A_NUMBER, QUIRE_JSON_FLOATS_OUT_OF_RANGE } quire_json_floats;
/// Copies an array of numbers; at most `capacity` are written, `count` is how many there are.
/// On a problem, `count` is the index of the first offender.
quire_json_floats quire_json_read_floats(quire_json_value array, float *out, size_t capacity, size_t *count);

/// Shortest text that reads back as the same number (std::to_chars). `out` holds at least 32 bytes. Returns the length.
size_t quire_json_write_float(float value, char *out);
size_t quire_json_write_double(double value, char *out);
size_t quire_json_write_integer(int64_t value, char *out);

#ifdef __cplusplus
}
#endif
