#include "CVectorKernels.h"
#include "sums.h"

#include <math.h>

static void sums_of_rows(quire_instruction_set set, const quire_code_block *block, int32_t *sums) {
    switch (set) {
#if defined(__x86_64__)
    case QUIRE_AVX512_VNNI:
        quire_code_sums_avx512vnni(block, sums);
        return;
    case QUIRE_AVX512:
    case QUIRE_AVX2:
        quire_code_sums_avx2(block, sums);
        return;
#endif
    default:
        quire_code_sums_plain(block, sums);
        return;
    }
}

void quire_code_distances(quire_instruction_set set, quire_metric metric, const quire_code_block *block, float *distances) {
    // The sums take the place of the distances they become.
    _Static_assert(sizeof(int32_t) == sizeof(float), "a sum and a distance share their place");
    const size_t count = block->count;
    if (count == 0) return;
    enum { PART = 64 };
    int32_t sums[PART];
    for (size_t first = 0; first < count; first += PART) {
        quire_code_block part = *block;
        part.count = count - first < PART ? count - first : PART;
        if (block->ids) {
            part.ids = block->ids + first;
        } else {
            part.table = block->table + first * block->stride;
            part.scales = block->scales + first;
            part.norms = block->norms + first;
        }
        sums_of_rows(set, &part, sums);
        float *out = distances + first;
        for (size_t i = 0; i < part.count; i++) {
            const size_t row = quire_row(part.ids, part.count, i);
            // The rows' codes are 128 too large.
            const float product = (float)(sums[i] - 128 * block->query_sum) * part.scales[row] * block->query_scale;
            switch (metric) {
            case QUIRE_COSINE:
                out[i] = 1.0f - product;
                break;
            case QUIRE_DOT:
                out[i] = 0.0f - product;
                break;
            case QUIRE_L2: {
                const float square = block->query_norm + part.norms[row] - 2.0f * product;
                out[i] = square > 0.0f ? sqrtf(square) : 0.0f;
                break;
            }
            }
        }
    }
}

quire_coding quire_encode(const float *vector, size_t dimension, float factor, uint8_t *codes) {
    float largest = 0.0f;
    for (size_t i = 0; i < dimension; i++) {
        const float magnitude = fabsf(vector[i] * factor);
        largest = magnitude > largest ? magnitude : largest;
    }
    const float scale = largest / 127.0f;
    // A scale too small to divide by makes zeros of all components, and the error says so.
    const float inverse = scale > 1e-37f ? 1.0f / scale : 0.0f;
    int32_t sum = 0;
    int64_t squares = 0;
    double error = 0.0;
    for (size_t i = 0; i < dimension; i++) {
        const float value = vector[i] * factor;
        float code = rintf(value * inverse);
        code = code > 127.0f ? 127.0f : code < -127.0f ? -127.0f : code;
        codes[i] = (uint8_t)((int)code + 128);
        sum += (int)code;
        squares += (int)code * (int)code;
        const double rest = (double)value - (double)code * (double)scale;
        error += rest * rest;
    }
    quire_coding coding;
    coding.scale = inverse > 0.0f ? scale : 0.0f;
    coding.norm = (float)((double)squares * coding.scale * coding.scale);
    // Rounded up: it bounds how far a distance can be off.
    coding.error = (float)(sqrt(error) * 1.000001);
    coding.sum = sum;
    return coding;
}

int32_t quire_sign_codes(const uint8_t *codes, size_t dimension, int8_t *into) {
    int32_t sum = 0;
    for (size_t i = 0; i < dimension; i++) {
        into[i] = (int8_t)(codes[i] ^ 0x80);
        sum += into[i];
    }
    return sum;
}

// Rounding of float sums, relative to what is added up; a thousand times what is seen.
#define ROUNDING 2e-5f

uint64_t quire_near_codes(
    quire_metric metric, const float *distances, const float *errors, const float *norms, size_t count, float query_norm,
    float query_error, float bound) {
    uint64_t near = 0;
    for (size_t i = 0; i < count; i++) {
        float lowest;
        if (metric == QUIRE_L2) {
            // The triangle inequality, once at each end.
            lowest = distances[i] * (1.0f - ROUNDING) - (errors[i] + query_error) - ROUNDING * query_norm;
        } else {
            // |q.x - q'.x'| <= |q||x - x'| + |q - q'||x'| (Cauchy and Schwarz)
            const float norm = sqrtf(norms[i]);
            lowest = distances[i] - (query_norm * errors[i] + query_error * norm) - ROUNDING * query_norm * norm;
        }
        near |= (uint64_t)(lowest <= bound) << i;
    }
    return near;
}
