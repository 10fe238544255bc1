// Memory that a builder changes while searches read it. Every access to it goes through one of these; on x86-64 the loads
// and stores are plain instructions.
#ifndef QUIRE_ATOMICS_H
#define QUIRE_ATOMICS_H

#include <stdbool.h>
#include <stdint.h>

static inline uint32_t quire_load_acquire(const uint32_t *from) { return __atomic_load_n(from, __ATOMIC_ACQUIRE); }
static inline void quire_store_release(uint32_t *to, uint32_t value) { __atomic_store_n(to, value, __ATOMIC_RELEASE); }
static inline uint64_t quire_load_acquire_64(const uint64_t *from) { return __atomic_load_n(from, __ATOMIC_ACQUIRE); }
static inline void quire_store_release_64(uint64_t *to, uint64_t value) { __atomic_store_n(to, value, __ATOMIC_RELEASE); }

static inline uint8_t quire_load_count(const uint8_t *from) { return __atomic_load_n(from, __ATOMIC_RELAXED); }

// Counts up to 255 and then no more.
static inline void quire_count_up(uint8_t *count) {
    uint8_t before = __atomic_load_n(count, __ATOMIC_RELAXED);
    while (before < 255 && !__atomic_compare_exchange_n(count, &before, before + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

// Counts down, but not from 1 to 0: then it says so and leaves the 1. What was counted to the end stays there.
static inline bool quire_count_down_unless_last(uint8_t *count) {
    uint8_t before = __atomic_load_n(count, __ATOMIC_RELAXED);
    do {
        if (before <= 1) return false;
        if (before == 255) return true;
    } while (!__atomic_compare_exchange_n(count, &before, before - 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

static inline void quire_prefetch_line(const void *address) { __builtin_prefetch(address); }

// One byte that guards the links of a node, for the few instructions that change them. Yields when it does not get it, so
// that a holder who lost the processor gets it back.
void quire_lock_byte(uint8_t *lock);
void quire_unlock_byte(uint8_t *lock);

#endif
