// The kernels for CPUs with AVX2 and FMA.
#include "kernels.h"

#if defined(__x86_64__)
#define LANES 8
#define ROWS 6
#define VECTORS 2
#define KERNELS embedding_kernels_avx2
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "kernels.inc"
#pragma clang attribute pop
#endif
