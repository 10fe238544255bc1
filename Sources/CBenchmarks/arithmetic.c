#include "CBenchmarks.h"

// Sums that do not wait for each other: more than the pipelines of a core hold, no more than its registers do.
enum { SUMS = 12 };

#define MULTIPLY_ADD(name, lanes)                                                       \
    static float name(size_t rounds) {                                                  \
        typedef float vec __attribute__((vector_size(4 * lanes)));                      \
        vec sums[SUMS], factor = (vec){0} + 0.5f, term = (vec){0} + 1e-9f;              \
        for (int i = 0; i < SUMS; i++) sums[i] = (vec){0} + (float)i;                   \
        for (size_t k = 0; k < rounds; k++)                                             \
            for (int i = 0; i < SUMS; i++) sums[i] = sums[i] * factor + term;           \
        for (int i = 1; i < SUMS; i++) sums[0] += sums[i];                              \
        return sums[0][0];                                                              \
    }

MULTIPLY_ADD(multiply_add_4, 4)
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
MULTIPLY_ADD(multiply_add_8, 8)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
MULTIPLY_ADD(multiply_add_16, 16)
#pragma clang attribute pop
#endif

double quire_multiply_add(size_t rounds, float *result) {
    double lanes = 4;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        lanes = 16;
        *result = multiply_add_16(rounds);
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        lanes = 8;
        *result = multiply_add_8(rounds);
    } else
#endif
        *result = multiply_add_4(rounds);
    return 2 * lanes * SUMS * (double)rounds;
}
