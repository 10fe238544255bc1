#define _GNU_SOURCE
#include "quire_thread_name.h"

#include <pthread.h>

void quire_name_thread(const char *name) {
    // The only failure is a name that is too long, and a thread does as well without.
    (void)pthread_setname_np(pthread_self(), name);
}
