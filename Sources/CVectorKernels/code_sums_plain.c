#include "sums.h"

void quire_code_sums_plain(const quire_code_block *block, int32_t *sums) {
    for (size_t i = 0; i < block->count; i++) {
        const uint8_t *row = block->table + quire_row(block->ids, block->count, i) * block->stride;
        int32_t sum = 0;
        for (size_t j = 0; j < block->dimension; j++) sum += (int32_t)row[j] * block->query[j];
        sums[i] = sum;
    }
}
