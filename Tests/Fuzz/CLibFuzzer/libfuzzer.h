/// What libFuzzer offers to the programs it drives; `-sanitize=fuzzer` links it.
#include <stddef.h>
#include <stdint.h>

/// Changes the bytes in one of libFuzzer's ways and returns how many there are then.
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maximum);

/// Gives inputs to the program until an option says that it is enough, and returns the code to exit with.
int LLVMFuzzerRunDriver(int *count, char ***arguments, int (*test)(const uint8_t *data, size_t size));
