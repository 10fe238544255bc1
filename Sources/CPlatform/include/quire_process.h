// Child processes and signals: what of posix_spawn, pidfd_open, prctl and sigaction the supervisor needs and Swift cannot say.
#ifndef QUIRE_PROCESS_H
#define QUIRE_PROCESS_H

#include <sys/types.h>

// Starts `path` as a child in a process group of its own, with `standard_input` as its descriptor 0, descriptors 1 and 2 as
// they are, `extra` as its descriptor 3, all others closed, no signal blocked and every signal at its default. `arguments` and
// `environment` end with NULL; `extra` is not 0. Returns 0, or an errno value: also of the exec, so a missing executable is
// told here.
int quire_spawn(
    pid_t *child, const char *path, char *const arguments[], char *const environment[], int standard_input, int extra);

// A close-on-exec, non-blocking pipe: the end to read, then the end to write. -1 with errno set.
int quire_pipe(int ends[2]);

// A close-on-exec descriptor that becomes readable when the child has ended; -1 with errno set. The child must not have been
// waited for yet.
int quire_process_descriptor(pid_t child);

// Waits for `child`, which has ended or is about to. Returns its exit code, or minus the number of the signal that ended it.
int quire_process_wait(pid_t child);

// From now on each of `signals`, which this unblocks in the calling thread, writes its number as one byte to `descriptor`, a non-blocking pipe. One caller a process at a
// time: a second one is refused with -1 and EBUSY.
int quire_signals_redirect(const int *signals, int count, int descriptor);

// Puts back what `quire_signals_redirect` replaced.
void quire_signals_restore(void);

// "SEGV" for 11; NULL for what is no signal.
const char *quire_signal_name(int signal);

// The environment of this process, as exec takes it.
char **quire_environment(void);

// This thread's process gets `signal` when the thread that started the process ends; 0 turns that off.
int quire_set_parent_death_signal(int signal);
int quire_parent_death_signal(void);

#endif
