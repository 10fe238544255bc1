#ifndef QUIRE_MEMORY_H
#define QUIRE_MEMORY_H

/// Bounds the heaps that malloc keeps for threads: each holds on to freed memory of its own. Call before other threads start.
void quire_limit_arenas(int count);

#endif
