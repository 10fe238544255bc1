// How many connections wait at a listening unix socket, which only sock_diag(7) tells.
#ifndef QUIRE_ACCEPT_QUEUE_H
#define QUIRE_ACCEPT_QUEUE_H

#include <stdint.h>

// Stores how many connections wait to be accepted, and how many may. Returns 0, or -1 where the system does not say: its kernel
// lacks unix_diag, or netlink sockets are forbidden to the process. Costs a few microseconds.
int quire_accept_queue(int listening, uint32_t *waiting, uint32_t *limit);

#endif
