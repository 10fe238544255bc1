// Sketches: a bit a component, from which a distance is estimated with a bound on the error, to leave out most rows without
// reading their vectors.
//
// Gao and Long, RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for Approximate Nearest Neighbor
// Search, SIGMOD 2024, section 3. Deviation: queries are not coded, their floats are summed under the mask of the bits.
#ifndef QUIRE_SKETCHES_H
#define QUIRE_SKETCHES_H

#include "CVectorKernels.h"

// What is kept of a row x around a centre c, with x' = x - c rotated, and a = <sign(x') / sqrt(d), x' / |x'|>. The bits follow.
typedef struct {
    float scale;  // |x'| / (a sqrt(d)): times the sum of the query under the signs, an estimate of <q, x'>
    float error;  // |x'| sqrt((1 - a^2) / a^2) / sqrt(d - 1): times |q|, the standard deviation of the estimate
    float square; // |x'|^2
} quire_sketch;

// Bytes of a sketch with its bits, a multiple of 4.
static inline size_t quire_sketch_stride(size_t dimension) { return sizeof(quire_sketch) + (dimension + 63) / 64 * 8; }

// Floats of a rotated vector: a multiple of 64.
static inline size_t quire_rotated_dimension(size_t dimension) { return (dimension + 63) & ~(size_t)63; }

// Draws a rotation, the same for every call: QUIRE_ROTATION_ROUNDS * `quire_rotated_dimension` signs.
enum { QUIRE_ROTATION_ROUNDS = 4 };
void quire_draw_rotation(size_t dimension, float *signs);

// Writes vector * factor - centre, rotated: `quire_rotated_dimension` floats. A centre of NULL is the origin. Needs AVX-512, as all
// below.
void quire_rotate(
    const float *signs, const float *vector, float factor, const float *centre, size_t dimension, float *rotated);

// Writes the sketch of a rotated vector.
void quire_write_sketch(const float *rotated, size_t dimension, uint8_t *sketch);

typedef struct {
    // Rotated: around the centre under cosine and l2, around the origin under dot.
    const float *query;
    float sum;     // of its components
    float square;  // its squared norm
    float norm;
    float offset;  // under dot: query . centre
    const uint8_t *table;
    size_t stride;
    size_t dimension;
} quire_sketch_query;

// Keeps of `ids` those whose distance may be below `bound`, in their order, and returns how many. The estimate is trusted to
// `deviations` standard deviations.
size_t quire_keep_near(
    quire_metric metric, const quire_sketch_query *query, uint32_t *ids, size_t count, float bound, float deviations);

#endif
