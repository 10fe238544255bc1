// The kernels for CPUs with AVX-512.
#include "kernels.h"

#if defined(__x86_64__)
#define LANES 16
#define ROWS 6
#define VECTORS 4
#define KERNELS embedding_kernels_avx512
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#include "kernels.inc"
#pragma clang attribute pop
#endif
