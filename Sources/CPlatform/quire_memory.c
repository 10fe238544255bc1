#include "quire_memory.h"

#include <malloc.h>

void quire_limit_arenas(int count) {
    mallopt(M_ARENA_MAX, count);
}
