#define _GNU_SOURCE
#include "quire_memory.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>

void quire_limit_arenas(int count) {
    mallopt(M_ARENA_MAX, count);
}

void quire_give_back_freed_memory(void) {
    malloc_trim(0);
}

int quire_move_pages(void *from, size_t bytes, void *to) {
    return mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED ? errno : 0;
}

int quire_has_bytes(const void *text, size_t count, const void *part, size_t part_count) {
    return memmem(text, count, part, part_count) != NULL;
}
