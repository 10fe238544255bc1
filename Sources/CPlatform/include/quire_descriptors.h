// Waiting on descriptors: what of epoll, eventfd and accept4 the Swift sources need and the Glibc module does not show.
#ifndef QUIRE_DESCRIPTORS_H
#define QUIRE_DESCRIPTORS_H

#include <stdint.h>

// Every function returns a descriptor or 0, or -1 with errno set. New descriptors are close-on-exec.

// A new epoll instance.
int quire_epoll_create(void);

// Reports `descriptor` to all who wait, for as long as it is readable. With `once` set, to one of them, and then to nobody until
// quire_epoll_watch_again (EPOLLONESHOT).
int quire_epoll_watch(int epoll, int descriptor, int once);

// Reports `descriptor` once more when it is readable, or still is.
int quire_epoll_watch_again(int epoll, int descriptor);

// Waits without limit and returns one readable descriptor.
int quire_epoll_wait(int epoll);

// Accepts a waiting connection as a blocking, close-on-exec descriptor.
int quire_accept(int listening);

// A new non-blocking event counter at zero.
int quire_event_create(void);

// Makes the counter readable, for all who watch it, until it is cleared.
int quire_event_raise(int event);

#endif
