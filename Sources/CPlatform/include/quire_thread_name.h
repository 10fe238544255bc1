#ifndef QUIRE_THREAD_NAME_H
#define QUIRE_THREAD_NAME_H

/// Names the calling thread in debuggers and /proc; the first 15 bytes count.
void quire_name_thread(const char *name);

#endif
