#ifndef QUIRE_THREAD_NAME_H
#define QUIRE_THREAD_NAME_H

/// Names the calling thread in debuggers and /proc; at most 15 bytes, longer names are left out.
void quire_name_thread(const char *name);

#endif
