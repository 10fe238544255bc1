#include "CVectorKernels.h"
#include "sums.h"

#include <math.h>

static void sums_of_rows(quire_instruction_set set, quire_sum sum, const quire_block *block, float *sums) {
    switch (set) {
#if defined(__x86_64__)
    case QUIRE_AVX512:
        quire_sums_avx512(sum, block, sums);
        return;
    case QUIRE_AVX2:
        quire_sums_avx2(sum, block, sums);
        return;
#endif
    default:
        quire_sums_plain(sum, block, sums);
        return;
    }
}

void quire_cosine_distances(
    quire_instruction_set set, const float *query, const float *rows, size_t stride, size_t count, size_t dimension,
    const float *inverse_norms, float *distances) {
    const quire_block block = {query, rows, stride, count, dimension};
    sums_of_rows(set, SUM_OF_PRODUCTS, &block, distances);
    for (size_t i = 0; i < count; i++) {
        float distance = 1.0f - distances[i] * inverse_norms[i];
        distance = distance < 0.0f ? 0.0f : distance;
        distances[i] = distance > 2.0f ? 2.0f : distance;
    }
}

void quire_dot_distances(
    quire_instruction_set set, const float *query, const float *rows, size_t stride, size_t count, size_t dimension,
    float *distances) {
    const quire_block block = {query, rows, stride, count, dimension};
    sums_of_rows(set, SUM_OF_PRODUCTS, &block, distances);
    // A subtraction, because a negation would turn 0 into -0, which clients would get to see.
    for (size_t i = 0; i < count; i++) distances[i] = 0.0f - distances[i];
}

void quire_l2_distances(
    quire_instruction_set set, const float *query, const float *rows, size_t stride, size_t count, size_t dimension,
    float *distances) {
    const quire_block block = {query, rows, stride, count, dimension};
    sums_of_rows(set, SUM_OF_SQUARED_DIFFERENCES, &block, distances);
    for (size_t i = 0; i < count; i++) distances[i] = sqrtf(distances[i]);
}
