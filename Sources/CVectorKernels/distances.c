#include "CVectorKernels.h"
#include "sums.h"

#include <math.h>

static void sums_of_rows(quire_instruction_set set, quire_sum sum, const quire_block *block, float *sums) {
    switch (set) {
#if defined(__x86_64__)
    case QUIRE_AVX512_VNNI:
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

static inline float cosine_distance(float cosine) {
    float distance = 1.0f - cosine;
    distance = distance < 0.0f ? 0.0f : distance;
    return distance > 2.0f ? 2.0f : distance;
}

void quire_distances(quire_instruction_set set, quire_metric metric, const quire_block *block, float *distances) {
    const size_t count = block->count;
    if (count == 0) return;
    switch (metric) {
    case QUIRE_COSINE:
        sums_of_rows(set, SUM_OF_PRODUCTS, block, distances);
        for (size_t i = 0; i < count; i++) {
            const float scale = block->inverse_norms[quire_row(block->ids, count, i)] * block->query_scale;
            distances[i] = cosine_distance(distances[i] * scale);
        }
        return;
    case QUIRE_DOT:
        sums_of_rows(set, SUM_OF_PRODUCTS, block, distances);
        // A subtraction, because a negation would turn 0 into -0, which clients would get to see.
        for (size_t i = 0; i < count; i++) distances[i] = 0.0f - distances[i];
        return;
    case QUIRE_L2:
        sums_of_rows(set, SUM_OF_SQUARED_DIFFERENCES, block, distances);
        for (size_t i = 0; i < count; i++) distances[i] = sqrtf(distances[i]);
        return;
    }
}
