#include "CVectorKernels.h"

#include <math.h>

// Rounding of a sum of floats, relative to the sum of magnitudes; a hundred times what is seen.
#define ROUNDING 4e-6f

float quire_box_bound(quire_metric metric, const float *query, const float *low, const float *high, size_t dimension) {
    if (metric == QUIRE_DOT) {
        float largest = 0.0f, magnitude = 0.0f;
        for (size_t i = 0; i < dimension; i++) {
            const float a = query[i] * low[i], b = query[i] * high[i];
            const float product = a > b ? a : b;
            largest += product;
            magnitude += fabsf(a) + fabsf(b);
        }
        return -largest - ROUNDING * magnitude;
    }
    float square = 0.0f;
    for (size_t i = 0; i < dimension; i++) {
        const float below = low[i] - query[i], above = query[i] - high[i];
        float outside = below > above ? below : above;
        outside = outside > 0.0f ? outside : 0.0f;
        square += outside * outside;
    }
    // Of vectors of norm 1, half the squared distance is 1 - cos.
    if (metric == QUIRE_COSINE) return 0.5f * square * (1.0f - ROUNDING) - ROUNDING;
    return sqrtf(square) * (1.0f - ROUNDING);
}

void quire_extend_box(const float *vector, float factor, size_t dimension, float *low, float *high) {
    for (size_t i = 0; i < dimension; i++) {
        const float value = vector[i] * factor;
        low[i] = value < low[i] ? value : low[i];
        high[i] = value > high[i] ? value : high[i];
    }
}
