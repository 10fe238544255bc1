#include "sums.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define VNNI_INLINE static inline __attribute__((always_inline, target("avx512f,avx512bw,avx512vl,avx512vnni")))

VNNI_INLINE __m128i quarters(__m512i total) {
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(total), _mm512_extracti64x4_epi64(total, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

VNNI_INLINE void sums_of_rows(const quire_code_block *block, bool is_list, int32_t *sums) {
    const size_t dimension = block->dimension;
    const size_t whole = dimension & ~(size_t)63;
    const __mmask64 mask = dimension > whole ? UINT64_MAX >> (64 - (dimension - whole)) : 0;
    for (size_t first = 0; first < block->count; first += 4) {
        const uint8_t *row[4], *next[4];
        for (size_t r = 0; r < 4; r++) {
            row[r] = block->table + quire_row(block->ids, block->count, first + r) * block->stride;
            if (is_list) next[r] = block->table + quire_row(block->ids, block->count, first + 4 + r) * block->stride;
        }

        __m512i total[4];
        for (int r = 0; r < 4; r++) total[r] = _mm512_setzero_si512();
        for (size_t i = 0; i < whole; i += 64) {
            const __m512i part = _mm512_loadu_si512(block->query + i);
            for (int r = 0; r < 4; r++) {
                if (is_list) {
                    __builtin_prefetch(next[r] + i);
                } else {
                    __builtin_prefetch((const void *)((uintptr_t)row[0] + 4 * i + 64 * (size_t)r + 12288));
                }
                total[r] = _mm512_dpbusd_epi32(total[r], _mm512_loadu_si512(row[r] + i), part);
            }
        }
        if (mask) {
            const __m512i part = _mm512_maskz_loadu_epi8(mask, block->query + whole);
            for (int r = 0; r < 4; r++) {
                total[r] = _mm512_dpbusd_epi32(total[r], _mm512_maskz_loadu_epi8(mask, row[r] + whole), part);
            }
        }

        const __m128i low = _mm_hadd_epi32(quarters(total[0]), quarters(total[1]));
        const __m128i high = _mm_hadd_epi32(quarters(total[2]), quarters(total[3]));
        const __m128i result = _mm_hadd_epi32(low, high);
        if (first + 4 <= block->count) {
            _mm_storeu_si128((__m128i *)(sums + first), result);
        } else {
            memcpy(sums + first, &result, (block->count - first) * sizeof(int32_t));
        }
    }
}

VNNI void quire_code_sums_avx512vnni(const quire_code_block *block, int32_t *sums) {
    if (block->ids) sums_of_rows(block, true, sums);
    else sums_of_rows(block, false, sums);
}

#endif
