#include "sums.h"

#include <string.h>

// Compilers turn these vectors of four into whatever the baseline of the processor has.
typedef float float4 __attribute__((vector_size(16)));

static inline float4 load(const float *from) {
    float4 value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline float4 load_tail(const float *from, size_t length) {
    float4 value = {0, 0, 0, 0};
    memcpy(&value, from, length * sizeof(float));
    return value;
}

static inline __attribute__((always_inline)) float4 add(quire_sum sum, float4 total, float4 query, float4 row) {
    if (sum == SUM_OF_PRODUCTS) return total + query * row;
    float4 difference = query - row;
    return total + difference * difference;
}

static inline __attribute__((always_inline)) void sums_of_rows(quire_sum sum, const quire_block *block, float *sums) {
    const float *query = block->query;
    for (size_t first = 0; first < block->count; first += 4) {
        const float *row[4];
        quire_four_rows(block, first, row);

        float4 total[4] = {{0}, {0}, {0}, {0}};
        size_t i = 0;
        for (; i + 4 <= block->dimension; i += 4) {
            if (!block->ids) quire_prefetch(row[0], 4 * i);
            float4 part = load(query + i);
            for (int r = 0; r < 4; r++) total[r] = add(sum, total[r], part, load(row[r] + i));
        }
        if (i < block->dimension) {
            size_t length = block->dimension - i;
            float4 part = load_tail(query + i, length);
            for (int r = 0; r < 4; r++) total[r] = add(sum, total[r], part, load_tail(row[r] + i, length));
        }

        for (size_t r = 0; r < 4 && first + r < block->count; r++) {
            sums[first + r] = (total[r][0] + total[r][2]) + (total[r][1] + total[r][3]);
        }
    }
}

void quire_sums_plain(quire_sum sum, const quire_block *block, float *sums) {
    if (sum == SUM_OF_PRODUCTS) {
        sums_of_rows(SUM_OF_PRODUCTS, block, sums);
    } else {
        sums_of_rows(SUM_OF_SQUARED_DIFFERENCES, block, sums);
    }
}
