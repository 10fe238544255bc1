#define _GNU_SOURCE
#include "quire_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct fault {
    char call[16];
    char pattern[256];
    char when[16];
    char action[16];
    long number;
};

enum { MAX_FAULTS = 8 };

/// How many calls of this process each line has seen.
static atomic_long counts[MAX_FAULTS];

static bool is_due(const char *when, long count) {
    if (when[0] == '*') return true;
    if (when[0] == '/') return count % atol(when + 1) == 0;
    return count == atol(when);
}

/// Finds what is to go wrong with this call. A line without its end is still being written, and not yet a fault.
static bool read_fault(FILE *file, const char *call, const char *path, struct fault *fault) {
    char line[512];
    for (int i = 0; i < MAX_FAULTS && fgets(line, sizeof line, file); i++) {
        if (!strchr(line, '\n')) return false;
        if (sscanf(line, "%15s %255s %15s %15s %ld", fault->call, fault->pattern, fault->when, fault->action, &fault->number) != 5) {
            fprintf(stderr, "quire-faults: no fault: %s", line);
            abort();
        }
        if (strcmp(fault->call, call) == 0 && fnmatch(fault->pattern, path, 0) == 0 && is_due(fault->when, ++counts[i])) return true;
    }
    return false;
}

static bool find_fault(const char *call, int descriptor, struct fault *fault) {
    const char *rules = getenv("QUIRE_FAULTS");
    FILE *file = rules ? fopen(rules, "re") : NULL;
    if (!file) return false;
    char link[32];
    char path[PATH_MAX] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    bool found = readlink(link, path, sizeof path - 1) > 0 && read_fault(file, call, path, fault);
    fclose(file);
    return found;
}

static bool is(const struct fault *fault, const char *action) {
    return strcmp(fault->action, action) == 0;
}

static void sleep_milliseconds(long count) {
    struct timespec rest = {.tv_sec = count / 1000, .tv_nsec = count % 1000 * 1000000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {}
}

static void hold(void) {
    char marker[PATH_MAX];
    snprintf(marker, sizeof marker, "%s.held", getenv("QUIRE_FAULTS"));
    close(open(marker, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    while (access(marker, F_OK) == 0) sleep_milliseconds(1);
}

static size_t at_most(size_t count, long limit) {
    return count < (size_t)limit ? count : (size_t)limit;
}

static int fail(long code) {
    errno = (int)code;
    return -1;
}

// The kernel is asked directly: the C library's functions of these names are what is replaced here.

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    struct fault fault;
    if (find_fault("pwrite", descriptor, &fault)) {
        if (is(&fault, "drop")) return (ssize_t)count;
        if (is(&fault, "error")) return fail(fault.number);
        if (is(&fault, "delay")) sleep_milliseconds(fault.number);
        if (is(&fault, "short")) count = at_most(count, fault.number);
        if (is(&fault, "kill")) {
            syscall(SYS_pwrite64, descriptor, bytes, at_most(count, fault.number), offset);
            kill(getpid(), SIGKILL);
        }
    }
    return syscall(SYS_pwrite64, descriptor, bytes, count, offset);
}

ssize_t pread(int descriptor, void *bytes, size_t count, off_t offset) {
    struct fault fault;
    if (find_fault("pread", descriptor, &fault)) {
        if (is(&fault, "kill")) kill(getpid(), SIGKILL);
        if (is(&fault, "error")) return fail(fault.number);
        if (is(&fault, "delay")) sleep_milliseconds(fault.number);
        if (is(&fault, "hold")) hold();
        if (is(&fault, "short")) count = at_most(count, fault.number);
    }
    return syscall(SYS_pread64, descriptor, bytes, count, offset);
}

static int retry(long number, int descriptor, long retries) {
    int result = (int)syscall(number, descriptor);
    for (; result != 0 && retries > 0; retries--) result = (int)syscall(number, descriptor);
    return result;
}

static int synchronize(const char *call, long number, int descriptor) {
    struct fault fault;
    if (find_fault(call, descriptor, &fault)) {
        if (is(&fault, "kill")) kill(getpid(), SIGKILL);
        if (is(&fault, "drop")) return 0;
        if (is(&fault, "error")) return fail(fault.number);
        if (is(&fault, "delay")) sleep_milliseconds(fault.number);
        if (is(&fault, "hold")) hold();
        if (is(&fault, "retry")) return retry(number, descriptor, fault.number);
    }
    return (int)syscall(number, descriptor);
}

int fdatasync(int descriptor) {
    return synchronize("fdatasync", SYS_fdatasync, descriptor);
}

int fsync(int descriptor) {
    return synchronize("fsync", SYS_fsync, descriptor);
}
