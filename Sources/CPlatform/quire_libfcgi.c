// The two calls with which libfcgi reads and writes a connection, and which it takes from whoever has them first (ld.so(8)): its own
// give up when they are interrupted. Halting the process and letting it go on, as a debugger or `docker pause` do, interrupts every wait
// within a timeout of a socket (signal(7)), and would break off what clients are sending and reading.

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

int OS_Read(int descriptor, char *buffer, size_t size);
int OS_Write(int descriptor, char *buffer, size_t size);

int OS_Read(int descriptor, char *buffer, size_t size) {
    ssize_t count;
    do count = read(descriptor, buffer, size);
    while (count < 0 && errno == EINTR);
    return (int)count;
}

int OS_Write(int descriptor, char *buffer, size_t size) {
    ssize_t count;
    do count = write(descriptor, buffer, size);
    while (count < 0 && errno == EINTR);
    return (int)count;
}
