/// Faults of the system calls with which storage reads, writes and syncs, for a program that this library is preloaded into
/// (LD_PRELOAD). It proves what the program does when a call fails, is cut short, takes long, or is its last.
///
/// The environment variable QUIRE_FAULTS names a file with one fault a line. It is read at every call, so faults can be made and
/// taken away while the program runs. A line is
///
///     CALL PATTERN WHEN ACTION NUMBER
///
/// CALL     pread, pwrite, fdatasync or fsync
/// PATTERN  of the path of the file, as for a shell; `*` goes beyond a slash
/// WHEN     7: the seventh such call of the process; /3: every third; *: each
/// ACTION   kill   end the process by SIGKILL, at a pwrite with NUMBER of its bytes in the file
///          short  read or write at most NUMBER bytes
///          error  do nothing, and fail with the errno NUMBER
///          delay  do it NUMBER milliseconds later
///          hold   at a pread or a sync: make a file named as QUIRE_FAULTS says with `.held` behind it, and wait until somebody removes it
///          drop   do nothing, and say that it was done: a disk that lies
///          retry  at a sync that fails: ask again, NUMBER times, and give the last answer: a program that believes it
///
/// The first line that is due decides; calls are counted for the lines up to it.
#ifndef QUIRE_FAULTS_H
#define QUIRE_FAULTS_H
#endif
