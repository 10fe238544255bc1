#include "CBenchmarks.h"

#include <malloc.h>

void quire_trim(void) { malloc_trim(0); }
