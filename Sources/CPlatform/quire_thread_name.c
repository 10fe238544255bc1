#define _GNU_SOURCE
#include "quire_thread_name.h"

#include <pthread.h>
#include <stdio.h>

void quire_name_thread(const char *name) {
    // A longer name would be refused. The call cannot fail otherwise for the thread itself.
    char shown[16];
    snprintf(shown, sizeof shown, "%s", name);
    (void)pthread_setname_np(pthread_self(), shown);
}
