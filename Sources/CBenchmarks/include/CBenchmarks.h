// What a measurement needs and Swift does not reach.
#ifndef C_BENCHMARKS_H
#define C_BENCHMARKS_H

#include <stddef.h>
#include <stdint.h>

/// Adds up a buffer, a multiple of 64 bytes, in order, asking for memory `ahead` bytes before it is needed.
uint64_t quire_stream(const void *memory, size_t bytes, size_t ahead);

/// Adds up a buffer, a multiple of 256 bytes, a quarter along each of four streams.
uint64_t quire_stream_four(const void *memory, size_t bytes);

/// Multiplies and adds 32-bit floats in registers, nothing else, with the widest instructions this CPU has. Returns how many
/// operations these were, two for each element; `result` is what came of them, so that they are not left out.
double quire_multiply_add(size_t rounds, float *result);

/// Gives the memory back to the system that the allocator keeps for later.
void quire_trim(void);

#endif
