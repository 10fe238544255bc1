#define _GNU_SOURCE
#include "quire_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int quire_spawn(
    pid_t *child, const char *path, char *const arguments[], char *const environment[], int standard_input, int extra) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    // dup2 onto itself clears close-on-exec too (glibc 2.29).
    if ((error = posix_spawn_file_actions_adddup2(&actions, standard_input, STDIN_FILENO)) == 0 &&
        (error = posix_spawn_file_actions_adddup2(&actions, extra, STDERR_FILENO + 1)) == 0 &&
        (error = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 2)) == 0 &&
        (error = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
        (error = posix_spawnattr_setsigdefault(&attributes, &all)) == 0 &&
        (error = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
        (error = posix_spawnattr_setflags(
             &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)) == 0) {
        error = posix_spawn(child, path, &actions, &attributes, arguments, environment);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int quire_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

int quire_process_descriptor(pid_t child) {
    // The system call itself: glibc has had a wrapper only since 2.36. The descriptor is close-on-exec by definition.
    return (int)syscall(SYS_pidfd_open, child, 0);
}

int quire_process_wait(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#define MOST_SIGNALS 8

static atomic_int redirected_descriptor = -1;
static int redirected_signals[MOST_SIGNALS];
static struct sigaction replaced_actions[MOST_SIGNALS];
static int redirected_count;

static void write_signal_number(int signal) {
    int saved_errno = errno;
    unsigned char byte = (unsigned char)signal;
    // A full pipe means that more than enough signals wait already.
    (void)!write(atomic_load(&redirected_descriptor), &byte, 1);
    errno = saved_errno;
}

int quire_signals_redirect(const int *signals, int count, int descriptor) {
    int nobody = -1;
    if (count > MOST_SIGNALS) {
        errno = EINVAL;
        return -1;
    }
    if (!atomic_compare_exchange_strong(&redirected_descriptor, &nobody, descriptor)) {
        errno = EBUSY;
        return -1;
    }
    struct sigaction action = {.sa_handler = write_signal_number, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    redirected_count = count;
    for (int i = 0; i < count; i++) {
        redirected_signals[i] = signals[i];
        sigaction(signals[i], &action, &replaced_actions[i]);
    }
    // Whoever started this process may have had them blocked, and a mask survives exec.
    sigset_t wanted;
    sigemptyset(&wanted);
    for (int i = 0; i < count; i++) sigaddset(&wanted, signals[i]);
    pthread_sigmask(SIG_UNBLOCK, &wanted, NULL);
    return 0;
}

void quire_signals_restore(void) {
    for (int i = 0; i < redirected_count; i++) {
        sigaction(redirected_signals[i], &replaced_actions[i], NULL);
    }
    redirected_count = 0;
    atomic_store(&redirected_descriptor, -1);
}

const char *quire_signal_name(int signal) {
    return sigabbrev_np(signal);
}

char **quire_environment(void) {
    return environ;
}

int quire_set_parent_death_signal(int signal) {
    return prctl(PR_SET_PDEATHSIG, signal);
}

int quire_parent_death_signal(void) {
    int signal = 0;
    return prctl(PR_GET_PDEATHSIG, &signal) == 0 ? signal : -1;
}
