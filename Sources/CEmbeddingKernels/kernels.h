// The table of kernels that every instruction set fills in; see kernels.inc for what they do.
#ifndef KERNELS_H
#define KERNELS_H

#include "CEmbeddingKernels.h"

typedef struct {
    void (*pack_f32)(const float *, size_t, size_t, float *);
    void (*linear_f32)(const float *, size_t, const float *, const float *, size_t, size_t, int, float *);
    void (*attention)(const float *, const float *, const float *, size_t, size_t, float *, float *);
    void (*layer_norm)(float *, const float *, size_t, size_t, const float *, const float *, float);
    void (*look_up)(const uint32_t *, size_t, size_t, const float *, const float *, const float *, float *);
    bool (*mean_pool)(const float *, size_t, size_t, float *);
} embedding_kernels;

extern const embedding_kernels embedding_kernels_portable;
#if defined(__x86_64__)
extern const embedding_kernels embedding_kernels_avx2;
extern const embedding_kernels embedding_kernels_avx512;
#endif

#endif
