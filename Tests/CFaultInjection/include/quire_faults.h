/// Faults of the system calls that storage makes, for a program that this library is preloaded into (LD_PRELOAD).
#ifndef QUIRE_FAULTS_H
#define QUIRE_FAULTS_H
#endif
