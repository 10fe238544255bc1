// Distances of one query to a block of rows.
//
// A block is `count` rows of `dimension` floats, `stride` floats apart, in one piece of memory. Nothing need be
// aligned, and any dimension of at least 1 is served; rows on 64-byte boundaries are fastest.
//
// Within one instruction set a row's distance depends on the row and the query only, never on its place in the block
// or on the number of rows: equal rows get bit-identical distances. Different instruction sets add in a different
// order, so their distances differ in the last digits.
//
// Sums are kept in float. If no norm is above 9e18, none of them overflows: a squared distance is at most
// (2 * 9e18)^2 = 3.24e38, and FLT_MAX is 3.4e38.
#ifndef C_VECTOR_KERNELS_H
#define C_VECTOR_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    QUIRE_PLAIN = 0,   // C with four-float vectors: SSE2 on x86-64, NEON on AArch64
    QUIRE_AVX2 = 1,    // AVX2 and FMA
    QUIRE_AVX512 = 2,  // AVX-512F
} quire_instruction_set;

/// Whether the processor and the operating system support `set`.
bool quire_supports(quire_instruction_set set);

/// 1 - cos, clamped to [0, 2]. `query` has norm 1; `inverse_norms` has one entry a row.
void quire_cosine_distances(
    quire_instruction_set set, const float *query, const float *rows, size_t stride, size_t count, size_t dimension,
    const float *inverse_norms, float *distances);

/// -(query . row), never negative zero.
void quire_dot_distances(
    quire_instruction_set set, const float *query, const float *rows, size_t stride, size_t count, size_t dimension,
    float *distances);

/// The Euclidean distance (not squared).
void quire_l2_distances(
    quire_instruction_set set, const float *query, const float *rows, size_t stride, size_t count, size_t dimension,
    float *distances);

#endif
