#define _GNU_SOURCE
#include "quire_descriptors.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

int quire_epoll_create(void) {
    return epoll_create1(EPOLL_CLOEXEC);
}

int quire_epoll_watch(int epoll, int descriptor, int once) {
    struct epoll_event event = {.events = EPOLLIN | (once ? EPOLLONESHOT : 0), .data.fd = descriptor};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

int quire_epoll_watch_again(int epoll, int descriptor) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = descriptor};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event);
}

int quire_epoll_wait(int epoll) {
    struct epoll_event event;
    int count = epoll_wait(epoll, &event, 1, -1);
    return count == 1 ? event.data.fd : -1;
}

int quire_accept(int listening) {
    return accept4(listening, NULL, NULL, SOCK_CLOEXEC);
}

int quire_event_create(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int quire_event_raise(int event) {
    uint64_t one = 1;
    return write(event, &one, sizeof(one)) == sizeof(one) ? 0 : -1;
}
