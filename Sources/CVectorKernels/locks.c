#include "quire_atomics.h"

#include <sched.h>

void quire_lock_byte(uint8_t *lock) {
    for (unsigned tries = 0; __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) != 0; tries++) {
        if (tries % 64 == 63) sched_yield();
    }
}

void quire_unlock_byte(uint8_t *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }
