#include "quire_sketches.h"

#include <math.h>
#include <string.h>

void quire_draw_rotation(size_t dimension, float *signs) {
    const size_t count = QUIRE_ROTATION_ROUNDS * quire_rotated_dimension(dimension);
    for (size_t i = 0; i < count; i++) {
        // Steele, Lea and Flood 2014, SplitMix64.
        uint64_t mixed = (i + 1) * 0x9E3779B97F4A7C15u + 0x5175697265u;
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
        signs[i] = (mixed ^ mixed >> 31) & 1 ? -1.0f : 1.0f;
    }
}

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))

// The fast Walsh-Hadamard transform of a power of two of floats, at least 64, scaled to keep norms.
AVX512 static void transform(float *values, size_t count) {
    // Within sixteen: partners by permutation, the second of each pair subtracted.
    for (size_t start = 0; start < count; start += 16) {
        __m512 v = _mm512_loadu_ps(values + start);
        __m512 partner = _mm512_permute_ps(v, 0xb1);
        v = _mm512_mask_sub_ps(_mm512_add_ps(v, partner), 0xaaaa, partner, v);
        partner = _mm512_permute_ps(v, 0x4e);
        v = _mm512_mask_sub_ps(_mm512_add_ps(v, partner), 0xcccc, partner, v);
        partner = _mm512_shuffle_f32x4(v, v, 0xb1);
        v = _mm512_mask_sub_ps(_mm512_add_ps(v, partner), 0xf0f0, partner, v);
        partner = _mm512_shuffle_f32x4(v, v, 0x4e);
        v = _mm512_mask_sub_ps(_mm512_add_ps(v, partner), 0xff00, partner, v);
        _mm512_storeu_ps(values + start, v);
    }
    for (size_t half = 16; half < count; half *= 2) {
        for (size_t start = 0; start < count; start += 2 * half) {
            for (size_t i = start; i < start + half; i += 16) {
                const __m512 a = _mm512_loadu_ps(values + i), b = _mm512_loadu_ps(values + i + half);
                _mm512_storeu_ps(values + i, _mm512_add_ps(a, b));
                _mm512_storeu_ps(values + i + half, _mm512_sub_ps(a, b));
            }
        }
    }
    const float scale = 1.0f / sqrtf((float)count);
    for (size_t i = 0; i < count; i++) values[i] *= scale;
}

AVX512 void quire_rotate(
    const float *signs, const float *vector, float factor, const float *centre, size_t dimension, float *rotated) {
    const size_t padded = quire_rotated_dimension(dimension);
    if (centre) {
        for (size_t i = 0; i < dimension; i++) rotated[i] = vector[i] * factor - centre[i];
    } else {
        for (size_t i = 0; i < dimension; i++) rotated[i] = vector[i] * factor;
    }
    memset(rotated + dimension, 0, (padded - dimension) * sizeof(float));
    size_t length = 64;
    while (length * 2 <= padded) length *= 2;
    // Signs and a transform, at the front and at the end in turn, so that every component reaches every other.
    for (size_t round = 0; round < QUIRE_ROTATION_ROUNDS; round++) {
        for (size_t i = 0; i < padded; i++) rotated[i] *= signs[round * padded + i];
        transform(round % 2 == 0 ? rotated : rotated + padded - length, length);
    }
}

AVX512 void quire_write_sketch(const float *rotated, size_t dimension, uint8_t *out) {
    const size_t padded = quire_rotated_dimension(dimension);
    float square = 0.0f, magnitudes = 0.0f;
    for (size_t i = 0; i < padded; i += 16) {
        const __m512 part = _mm512_loadu_ps(rotated + i);
        const uint16_t bits = _mm512_cmp_ps_mask(part, _mm512_setzero_ps(), _CMP_GT_OQ);
        memcpy(out + sizeof(quire_sketch) + i / 8, &bits, sizeof bits);
        square += _mm512_reduce_add_ps(_mm512_mul_ps(part, part));
        magnitudes += _mm512_reduce_add_ps(_mm512_abs_ps(part));
    }
    quire_sketch sketch = {0.0f, 0.0f, square};
    if (square > 0.0f) {
        // a = sum |x'_i| / (sqrt(d) |x'|)
        const double norm = sqrt(square), root = sqrt((double)padded);
        const double a = magnitudes / (root * norm), rest = 1.0 - a * a;
        sketch.scale = (float)(norm / (a * root));
        sketch.error = (float)(norm * sqrt(rest > 0.0 ? rest : 0.0) / a / sqrt((double)padded - 1.0));
    }
    memcpy(out, &sketch, sizeof sketch);
}

AVX512 size_t quire_keep_near(
    quire_metric metric, const quire_sketch_query *query, uint32_t *ids, size_t count, float bound, float deviations) {
    const size_t words = quire_rotated_dimension(query->dimension) / 16;
    size_t kept = 0;
    for (size_t first = 0; first < count; first += 4) {
        const uint8_t *row[4];
        for (size_t r = 0; r < 4; r++) {
            row[r] = query->table + (size_t)ids[first + r < count ? first + r : count - 1] * query->stride;
        }
        __m512 total[4];
        for (int r = 0; r < 4; r++) total[r] = _mm512_setzero_ps();
        for (size_t i = 0; i < words; i++) {
            const __m512 part = _mm512_loadu_ps(query->query + 16 * i);
            for (int r = 0; r < 4; r++) {
                uint16_t bits;
                memcpy(&bits, row[r] + sizeof(quire_sketch) + 2 * i, sizeof bits);
                total[r] = _mm512_mask_add_ps(total[r], bits, total[r], part);
            }
        }
        for (size_t r = 0; r < 4 && first + r < count; r++) {
            quire_sketch sketch;
            memcpy(&sketch, row[r], sizeof sketch);
            const float product = sketch.scale * (2.0f * _mm512_reduce_add_ps(total[r]) - query->sum)
                + deviations * sketch.error * query->norm;
            float lowest;
            switch (metric) {
            case QUIRE_COSINE:
                // Of vectors of norm 1, half the squared distance is 1 - cos.
                lowest = 0.5f * (query->square + sketch.square) - product;
                break;
            case QUIRE_DOT:
                lowest = -(query->offset + product);
                break;
            default: {
                const float square = query->square + sketch.square - 2.0f * product;
                lowest = square > 0.0f ? sqrtf(square) : 0.0f;
                break;
            }
            }
            const uint32_t id = ids[first + r];
            ids[kept] = id;
            kept += lowest < bound;
        }
    }
    return kept;
}

#endif
