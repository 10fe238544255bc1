// Distances of one query to many rows.
//
// A table is rows of `dimension` components, `stride` components apart, in one piece of memory. A block names the rows to
// score: `ids` lists them, or is NULL for the `count` rows from the start of the table on. Nothing need be aligned, and
// any dimension of at least 1 is served; rows on 64-byte boundaries are fastest.
//
// Within one instruction set a row's distance depends on the row and the query only, never on its place in the block
// or on the number of rows: equal rows get bit-identical distances. Different instruction sets add floats in a different
// order, so their distances differ in the last digits; sums over codes are the same integers everywhere.
//
// Sums are kept in float. If no norm is above 9e18, none of them overflows: a squared distance is at most
// (2 * 9e18)^2 = 3.24e38, and FLT_MAX is 3.4e38.
#ifndef C_VECTOR_KERNELS_H
#define C_VECTOR_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quire_atomics.h"

typedef enum {
    QUIRE_PLAIN = 0,        // C with four-float vectors: SSE2 on x86-64, NEON on AArch64
    QUIRE_AVX2 = 1,         // AVX2 and FMA
    QUIRE_AVX512 = 2,       // AVX-512F
    QUIRE_AVX512_VNNI = 3,  // the same, and AVX-512 BW and VNNI for codes
} quire_instruction_set;

typedef enum {
    QUIRE_COSINE = 0,  // 1 - cos, clamped to [0, 2]
    QUIRE_DOT = 1,     // -(query . row), never negative zero
    QUIRE_L2 = 2,      // the Euclidean distance (not squared)
} quire_metric;

/// Whether the processor and the operating system support `set`.
bool quire_supports(quire_instruction_set set);

/// Rows of floats to score.
typedef struct {
    const float *query;
    /// 1/norm of the query; read under cosine only.
    float query_scale;
    const float *table;
    /// 1/norm of each row of the table; read under cosine only.
    const float *inverse_norms;
    size_t stride;
    size_t dimension;
    const uint32_t *ids;
    size_t count;
} quire_block;

/// Writes the distance of each row of the block.
void quire_distances(quire_instruction_set set, quire_metric metric, const quire_block *block, float *distances);

/// Codes: component i of a row is about scale * (code[i] - 128); the query's about scale * code[i], with signed codes.
typedef struct {
    const int8_t *query;
    float query_scale;
    /// The sum of the query's codes.
    int32_t query_sum;
    /// |query|^2 as its codes have it; read under l2 only.
    float query_norm;
    const uint8_t *table;
    /// One of each row of the table; the squared norms of what the codes stand for are read under l2 only.
    const float *scales;
    const float *norms;
    size_t stride;
    size_t dimension;
    const uint32_t *ids;
    size_t count;
} quire_code_block;

/// Writes the distance of what the query's codes stand for to what each row's codes stand for. Under cosine both stand for
/// vectors of norm 1.
void quire_code_distances(quire_instruction_set set, quire_metric metric, const quire_code_block *block, float *distances);

/// Codes `vector` times `factor`: the codes, unsigned around 128, and what they make of it. The scale is the largest
/// magnitude over 127.
typedef struct {
    float scale;
    float norm;   // |codes * scale|^2
    float error;  // |vector * factor - codes * scale|, rounded up
    int32_t sum;  // of the signed codes
} quire_coding;

quire_coding quire_encode(const float *vector, size_t dimension, float factor, uint8_t *codes);

/// A row's codes as those of a query; returns their sum.
int32_t quire_sign_codes(const uint8_t *codes, size_t dimension, int8_t *into);

/// Of at most 64 rows, given the distances of their codes: a bit for each whose true distance may be at most `bound`.
/// `query_norm` and `query_error` are |query| and how far its codes are from it.
uint64_t quire_near_codes(
    quire_metric metric, const float *distances, const float *errors, const float *norms, size_t count, float query_norm,
    float query_error, float bound);

#include "quire_sketches.h"

#endif
