#include "sums.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INLINE static inline __attribute__((always_inline, target("avx2,fma")))

AVX2_INLINE __m256 add(quire_sum sum, __m256 total, __m256 query, __m256 row) {
    if (sum == SUM_OF_PRODUCTS) return _mm256_fmadd_ps(query, row, total);
    __m256 difference = _mm256_sub_ps(query, row);
    return _mm256_fmadd_ps(difference, difference, total);
}

// All lanes below `length` (1...7) set.
AVX2_INLINE __m256i tail_mask(size_t length) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)length), lanes);
}

AVX2_INLINE __m128 halves(__m256 total) {
    return _mm_add_ps(_mm256_castps256_ps128(total), _mm256_extractf128_ps(total, 1));
}

AVX2_INLINE void sums_of_rows(quire_sum sum, const quire_block *block, float *sums) {
    const float *query = block->query;
    const size_t dimension = block->dimension;
    for (size_t first = 0; first < block->count; first += 4) {
        const float *row[4];
        quire_four_rows(block, first, row);

        // Two totals a row: eight chains of additions keep both multipliers busy.
        __m256 even[4], odd[4];
        for (int r = 0; r < 4; r++) even[r] = odd[r] = _mm256_setzero_ps();
        size_t i = 0;
        for (; i + 16 <= dimension; i += 16) {
            __m256 part = _mm256_loadu_ps(query + i);
            __m256 next = _mm256_loadu_ps(query + i + 8);
            for (int r = 0; r < 4; r++) {
                if (!block->ids) quire_prefetch(row[0], 4 * i + 16 * r);
                even[r] = add(sum, even[r], part, _mm256_loadu_ps(row[r] + i));
                odd[r] = add(sum, odd[r], next, _mm256_loadu_ps(row[r] + i + 8));
            }
        }
        if (i + 8 <= dimension) {
            __m256 part = _mm256_loadu_ps(query + i);
            for (int r = 0; r < 4; r++) even[r] = add(sum, even[r], part, _mm256_loadu_ps(row[r] + i));
            i += 8;
        }
        if (i < dimension) {
            __m256i mask = tail_mask(dimension - i);
            __m256 part = _mm256_maskload_ps(query + i, mask);
            for (int r = 0; r < 4; r++) odd[r] = add(sum, odd[r], part, _mm256_maskload_ps(row[r] + i, mask));
        }

        // Four rows of four lanes become one vector of four sums.
        __m128 quarter[4];
        for (int r = 0; r < 4; r++) quarter[r] = halves(_mm256_add_ps(even[r], odd[r]));
        __m128 result = _mm_hadd_ps(_mm_hadd_ps(quarter[0], quarter[1]), _mm_hadd_ps(quarter[2], quarter[3]));
        if (first + 4 <= block->count) {
            _mm_storeu_ps(sums + first, result);
        } else {
            memcpy(sums + first, &result, (block->count - first) * sizeof(float));
        }
    }
}

AVX2 void quire_sums_avx2(quire_sum sum, const quire_block *block, float *sums) {
    if (sum == SUM_OF_PRODUCTS) {
        sums_of_rows(SUM_OF_PRODUCTS, block, sums);
    } else {
        sums_of_rows(SUM_OF_SQUARED_DIFFERENCES, block, sums);
    }
}

#endif
