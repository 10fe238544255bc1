// Which instruction sets this CPU runs, and the way from a set to its kernels.
#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

enum { XMM_YMM = 0x06, XMM_YMM_ZMM = 0xE6 };

// What the operating system saves on a context switch: a CPU may have registers that it does not.
static uint32_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

bool embedding_supports(int set) {
    uint32_t a, b, c, d;
    if (set == EMBEDDING_PORTABLE) return true;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA)) return false;
    uint32_t saved = saved_registers();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    const uint32_t avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    switch (set) {
    case EMBEDDING_AVX2:
        return (saved & XMM_YMM) == XMM_YMM && (b & bit_AVX2);
    case EMBEDDING_AVX512:
        return (saved & XMM_YMM_ZMM) == XMM_YMM_ZMM && (b & avx512) == avx512;
    case EMBEDDING_AVX512_BF16:
        return embedding_supports(EMBEDDING_AVX512) && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVX512BF16);
    default:
        return false;
    }
}

static const embedding_kernels *kernels(int set) {
    switch (set) {
    case EMBEDDING_AVX2: return &embedding_kernels_avx2;
    case EMBEDDING_AVX512:
    case EMBEDDING_AVX512_BF16: return &embedding_kernels_avx512;
    default: return &embedding_kernels_portable;
    }
}
#else
bool embedding_supports(int set) { return set == EMBEDDING_PORTABLE; }

static const embedding_kernels *kernels(int set) { return &embedding_kernels_portable; }
#endif

void embedding_pack_f32(int set, const float *w, size_t inputs, size_t outputs, float *packed) {
    kernels(set)->pack_f32(w, inputs, outputs, packed);
}

void embedding_linear_f32(int set, const float *x, size_t rows, const float *packed, const float *bias, size_t inputs,
                          size_t outputs, int activation, float *y) {
    kernels(set)->linear_f32(x, rows, packed, bias, inputs, outputs, activation, y);
}

size_t embedding_attention_scratch(size_t rows) {
    // Keys, the weights of four queries, and where scores start, of a sequence padded to the widest vector.
    return (rows + 15) / 16 * 16 * (EMBEDDING_HEAD + 4 + 1);
}

void embedding_attention(int set, const float *q, const float *k, const float *v, size_t rows, size_t heads, float *out,
                         float *scratch) {
    kernels(set)->attention(q, k, v, rows, heads, out, scratch);
}

void embedding_layer_norm(int set, float *x, const float *residual, size_t rows, size_t width, const float *scale,
                          const float *shift, float epsilon) {
    kernels(set)->layer_norm(x, residual, rows, width, scale, shift, epsilon);
}

void embedding_look_up(int set, const uint32_t *ids, size_t rows, size_t width, const float *words, const float *positions,
                       const float *type, float *x) {
    kernels(set)->look_up(ids, rows, width, words, positions, type, x);
}

bool embedding_mean_pool(int set, const float *x, size_t rows, size_t width, float *out) {
    return kernels(set)->mean_pool(x, rows, width, out);
}

bool embedding_is_optimized(void) {
#if defined(__OPTIMIZE__)
    return true;
#else
    return false;
#endif
}
