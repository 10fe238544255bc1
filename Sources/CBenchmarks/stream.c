#include "CBenchmarks.h"

uint64_t quire_stream(const void *memory, size_t bytes, size_t ahead) {
    const uint64_t *numbers = memory;
    uint64_t sums[8] = {0};
    for (size_t line = 0; line < bytes / 64; line++) {
        // An address beyond the buffer is not read: a prefetch never faults.
        __builtin_prefetch((const void *)((uintptr_t)memory + line * 64 + ahead));
        for (size_t i = 0; i < 8; i++) sums[i] += numbers[line * 8 + i];
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < 8; i++) sum += sums[i];
    return sum;
}

uint64_t quire_stream_four(const void *memory, size_t bytes) {
    const uint64_t *numbers = memory;
    size_t quarter = bytes / 32;
    uint64_t sums[4][8] = {{0}};
    for (size_t start = 0; start < quarter; start += 8)
        for (size_t stream = 0; stream < 4; stream++)
            for (size_t i = 0; i < 8; i++) sums[stream][i] += numbers[stream * quarter + start + i];
    uint64_t sum = 0;
    for (size_t stream = 0; stream < 4; stream++)
        for (size_t i = 0; i < 8; i++) sum += sums[stream][i];
    return sum;
}
