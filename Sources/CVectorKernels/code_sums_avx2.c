#include "sums.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

// Products of bytes do not fit the 16-bit sums of vpmaddubsw, so bytes are widened first.
AVX2 void quire_code_sums_avx2(const quire_code_block *block, int32_t *sums) {
    const size_t dimension = block->dimension;
    for (size_t first = 0; first < block->count; first += 4) {
        const uint8_t *row[4];
        for (size_t r = 0; r < 4; r++) row[r] = block->table + quire_row(block->ids, block->count, first + r) * block->stride;

        __m256i total[4];
        for (int r = 0; r < 4; r++) total[r] = _mm256_setzero_si256();
        size_t i = 0;
        for (; i + 16 <= dimension; i += 16) {
            const __m256i part = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(block->query + i)));
            for (int r = 0; r < 4; r++) {
                const __m256i codes = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(row[r] + i)));
                total[r] = _mm256_add_epi32(total[r], _mm256_madd_epi16(part, codes));
            }
        }

        int32_t result[4];
        for (int r = 0; r < 4; r++) {
            __m128i half = _mm_add_epi32(_mm256_castsi256_si128(total[r]), _mm256_extracti128_si256(total[r], 1));
            half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
            half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
            result[r] = _mm_cvtsi128_si32(half);
            for (size_t j = i; j < dimension; j++) result[r] += (int32_t)row[r][j] * block->query[j];
        }
        const size_t left = block->count - first;
        memcpy(sums + first, result, (left < 4 ? left : 4) * sizeof(int32_t));
    }
}

#endif
