// Linear layers on bfloat16 weights, for CPUs with AVX512-BF16: vdpbf16ps adds two products of bfloat16 to each of 16 sums.
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LANES 16
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma"))), apply_to = function)
#include "vector.inc"

enum { ROWS = 6, PANEL = 64 };

// 64 outputs of `count` rows. The sums of all of them are in registers: 24 of the 32, four hold weights, one a pair of x.
INLINE void panel_block(int count, const uint32_t *x, const uint32_t *w, const float *bias, size_t pairs, int activation,
                        float *y, size_t outputs) {
    __m512 s[ROWS][4];
    for (int i = 0; i < count; i++)
        for (int j = 0; j < 4; j++) s[i][j] = _mm512_setzero_ps();
    for (size_t k = 0; k < pairs; k++, w += PANEL) {
        __m512bh b[4];
        for (int j = 0; j < 4; j++) b[j] = (__m512bh)_mm512_load_si512(w + j * 16);
        for (int i = 0; i < count; i++) {
            __m512bh a = (__m512bh)_mm512_set1_epi32((int)x[i * pairs + k]);
            for (int j = 0; j < 4; j++) s[i][j] = _mm512_dpbf16_ps(s[i][j], b[j], a);
        }
    }
    for (int i = 0; i < count; i++)
        for (int j = 0; j < 4; j++) finish(y + i * outputs + j * 16, (vec)s[i][j], bias + j * 16, activation);
}

static void panel_rows(int count, const uint32_t *x, const uint32_t *w, const float *bias, size_t pairs, int activation,
                       float *y, size_t outputs) {
    switch (count) {
    case 1: panel_block(1, x, w, bias, pairs, activation, y, outputs); break;
    case 2: panel_block(2, x, w, bias, pairs, activation, y, outputs); break;
    case 3: panel_block(3, x, w, bias, pairs, activation, y, outputs); break;
    case 4: panel_block(4, x, w, bias, pairs, activation, y, outputs); break;
    case 5: panel_block(5, x, w, bias, pairs, activation, y, outputs); break;
    case 6: panel_block(6, x, w, bias, pairs, activation, y, outputs); break;
    }
}

INLINE void round_to_bf16(const float *x, size_t count, uint16_t *out) {
    for (size_t k = 0; k < count; k += 32)
        _mm512_storeu_si512(out + k, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + k + 16), _mm512_loadu_ps(x + k)));
}

void embedding_linear_bf16(const float *x, size_t rows, const uint16_t *packed, const float *bias, size_t inputs,
                           size_t outputs, int activation, float *y, uint16_t *scratch) {
    size_t pairs = inputs / 2;
    for (size_t slab = 0; slab < rows; slab += EMBEDDING_SLAB) {
        size_t here = rows - slab < EMBEDDING_SLAB ? rows - slab : EMBEDDING_SLAB;
        round_to_bf16(x + slab * inputs, here * inputs, scratch);
        // A panel of weights stays in the second-level cache while the rows of the slab pass over it.
        for (size_t n = 0; n < outputs; n += PANEL)
            for (size_t i = 0; i < here; i += ROWS)
                panel_rows(here - i < ROWS ? (int)(here - i) : ROWS, (const uint32_t *)scratch + i * pairs,
                           (const uint32_t *)packed + n * pairs, bias + n, pairs, activation,
                           y + (slab + i) * outputs + n, outputs);
    }
}

void embedding_pack_bf16(const float *w, size_t inputs, size_t outputs, uint16_t *packed) {
    size_t pairs = inputs / 2;
    uint32_t *out = (uint32_t *)packed;
    for (size_t n = 0; n < outputs; n += PANEL, out += PANEL * pairs)
        for (size_t k = 0; k < pairs; k += 16)
            for (size_t j = 0; j < PANEL; j++) {
                uint16_t rounded[32];
                round_to_bf16(w + (n + j) * inputs + 2 * k, 32, rounded);
                for (int l = 0; l < 16; l++)
                    out[(k + l) * PANEL + j] = (uint32_t)rounded[2 * l] | (uint32_t)rounded[2 * l + 1] << 16;
            }
}
#pragma clang attribute pop
#else
#include <stdlib.h>

// No CPU of this architecture is said to support these, so nobody calls them.
void embedding_linear_bf16(const float *x, size_t rows, const uint16_t *packed, const float *bias, size_t inputs,
                           size_t outputs, int activation, float *y, uint16_t *scratch) {
    abort();
}

void embedding_pack_bf16(const float *w, size_t inputs, size_t outputs, uint16_t *packed) { abort(); }
#endif
