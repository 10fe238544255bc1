// Waiting on descriptors: what of epoll, eventfd and accept4 the Swift sources need and the Glibc module does not show.
#ifndef QUIRE_DESCRIPTORS_H
#define QUIRE_DESCRIPTORS_H

#include <stdint.h>

// Every function returns a descriptor or 0, or -1 with errno set. New descriptors are close-on-exec.

// A new epoll instance.
int quire_epoll_create(void);

// Reports `descriptor` whenever it is readable. With `exclusive` set, one event wakes one of the epoll instances that watch
// the descriptor and not all of them (EPOLLEXCLUSIVE).
int quire_epoll_watch(int epoll, int descriptor, int exclusive);

// Waits without limit and returns one readable descriptor.
int quire_epoll_wait(int epoll);

// Accepts a waiting connection as a blocking, close-on-exec descriptor.
int quire_accept(int listening);

// A new non-blocking event counter at zero.
int quire_event_create(void);

// Makes the counter readable, for all who watch it, until it is cleared.
int quire_event_raise(int event);

#endif
