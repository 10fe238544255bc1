// What the kernels of every instruction set have in common: each gives, for every row of a block, the sum that the
// distances are made of. All score four rows at once, because then a register loaded from the query serves four rows
// and the four additions do not wait for each other.
#ifndef QUIRE_SUMS_H
#define QUIRE_SUMS_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    SUM_OF_PRODUCTS,             // query . row
    SUM_OF_SQUARED_DIFFERENCES,  // |query - row|^2
} quire_sum;

typedef struct {
    const float *query;
    const float *rows;
    size_t stride;
    size_t count;
    size_t dimension;
} quire_block;

// The four rows from `first` on. Past the end of the block the last row stands in, so that one to three remaining
// rows go through the very code that scores four, and equal rows get equal sums wherever they are.
static inline void quire_four_rows(const quire_block *block, size_t first, const float *four[4]) {
    for (size_t i = 0; i < 4; i++) {
        size_t row = first + i < block->count ? first + i : block->count - 1;
        four[i] = block->rows + row * block->stride;
    }
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

#if defined(__x86_64__)
void quire_sums_avx2(quire_sum sum, const quire_block *block, float *sums);
void quire_sums_avx512(quire_sum sum, const quire_block *block, float *sums);
#endif

#endif
