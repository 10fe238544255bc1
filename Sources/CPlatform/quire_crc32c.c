#include "quire_crc32c.h"

#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

// The reflected Castagnoli polynomial.
#define POLYNOMIAL 0x82f63b78u

typedef uint32_t (*update_function)(uint32_t state, const unsigned char *bytes, size_t count);

static uint32_t table[8][256];
static update_function chosen_update;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// Slicing by eight (Kounavis and Berry, 2005): table[k][b] is the effect of byte b seen k bytes earlier.
static uint32_t update_portable(uint32_t state, const unsigned char *bytes, size_t count) {
    while (count >= 8) {
        uint32_t low, high;
        low = state ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
        high = (uint32_t)bytes[4] | (uint32_t)bytes[5] << 8 | (uint32_t)bytes[6] << 16 | (uint32_t)bytes[7] << 24;
        state = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^
                table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^ table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
        bytes += 8;
        count -= 8;
    }
    while (count-- > 0) {
        state = table[0][(state ^ *bytes++) & 0xff] ^ state >> 8;
    }
    return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
static uint32_t update_sse42(uint32_t state, const unsigned char *bytes, size_t count) {
    uint64_t wide = state;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        wide = _mm_crc32_u64(wide, word);
        bytes += 8;
        count -= 8;
    }
    state = (uint32_t)wide;
    while (count-- > 0) {
        state = _mm_crc32_u8(state, *bytes++);
    }
    return state;
}
#endif

static void prepare(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) {
            value = (value & 1) != 0 ? value >> 1 ^ POLYNOMIAL : value >> 1;
        }
        table[0][byte] = value;
    }
    for (int slice = 1; slice < 8; slice++) {
        for (int byte = 0; byte < 256; byte++) {
            uint32_t earlier = table[slice - 1][byte];
            table[slice][byte] = table[0][earlier & 0xff] ^ earlier >> 8;
        }
    }
    chosen_update = update_portable;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) {
        chosen_update = update_sse42;
    }
#endif
}

uint32_t quire_crc32c(uint32_t previous, const void *bytes, size_t count) {
    pthread_once(&once, prepare);
    return ~chosen_update(~previous, bytes, count);
}

uint32_t quire_crc32c_portable(uint32_t previous, const void *bytes, size_t count) {
    pthread_once(&once, prepare);
    return ~update_portable(~previous, bytes, count);
}
