// What the kernels of every instruction set have in common: each gives, for every row of a block, the sum that the
// distances are made of. All score four rows at once, because then a register loaded from the query serves four rows
// and the four additions do not wait for each other.
#ifndef QUIRE_SUMS_H
#define QUIRE_SUMS_H

#include "CVectorKernels.h"

typedef enum {
    SUM_OF_PRODUCTS,             // query . row
    SUM_OF_SQUARED_DIFFERENCES,  // |query - row|^2
} quire_sum;

// Row `i` of a block. Past its end the last row stands in, so that one to three remaining rows go through the very code
// that scores four, and equal rows get equal sums wherever they are.
static inline __attribute__((always_inline)) size_t quire_row(const uint32_t *ids, size_t count, size_t i) {
    const size_t row = i < count ? i : count - 1;
    return ids ? ids[row] : row;
}

static inline __attribute__((always_inline)) void quire_four_rows(const quire_block *block, size_t first, const float *four[4]) {
    for (size_t r = 0; r < 4; r++) four[r] = block->table + quire_row(block->ids, block->count, first + r) * block->stride;
}

// Four rows at once are four streams, which the processor's own prefetchers follow badly: at 384 dimensions a row from
// memory took 120 ns. So each step asks for the next lines of ONE stream, the block from end to end, early enough for
// the loads that follow: 60 to 80 ns, where reading the memory and nothing else took 60 (AMD EPYC, Zen 4, on a busy
// day). Twice this distance no longer fits the first-level cache and costs 5 ns a row that is cached.
enum { QUIRE_PREFETCH_BYTES = 12288 };

// `position` counts floats from `start`. Computed as a number: the address may lie beyond the block, where a prefetch is
// harmless but a pointer would not be.
static inline __attribute__((always_inline)) void quire_prefetch(const float *start, size_t position) {
    __builtin_prefetch((const void *)((uintptr_t)start + position * sizeof(float) + QUIRE_PREFETCH_BYTES));
}

void quire_sums_plain(quire_sum sum, const quire_block *block, float *sums);
void quire_code_sums_plain(const quire_code_block *block, int32_t *sums);

#if defined(__x86_64__)
void quire_sums_avx2(quire_sum sum, const quire_block *block, float *sums);
void quire_sums_avx512(quire_sum sum, const quire_block *block, float *sums);
void quire_code_sums_avx2(const quire_code_block *block, int32_t *sums);
void quire_code_sums_avx512vnni(const quire_code_block *block, int32_t *sums);
#endif

#endif
