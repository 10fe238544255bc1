#ifndef QUIRE_MEMORY_H
#define QUIRE_MEMORY_H

#include <stddef.h>

/// Bounds the heaps that malloc keeps for threads: each holds on to freed memory of its own. Call before other threads start.
void quire_limit_arenas(int count);

/// Gives what malloc keeps of freed memory back to the system. Takes time for a large heap.
void quire_give_back_freed_memory(void);

/// Moves mapped pages to `to`, replacing what is mapped there, without copying them. Returns 0, or an errno value.
int quire_move_pages(void *from, size_t bytes, void *to);

/// Whether the bytes of `part` stand anywhere in `text`: memmem, which the Glibc module does not show.
int quire_has_bytes(const void *text, size_t count, const void *part, size_t part_count);

#endif
