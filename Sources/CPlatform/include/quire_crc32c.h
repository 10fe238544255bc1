#ifndef QUIRE_CRC32C_H
#define QUIRE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `previous`'s bytes followed by `bytes`.
/// Start with `previous` = 0; `quire_crc32c(quire_crc32c(0, a), b)` is the checksum of a followed by b.
/// Uses the SSE4.2 instruction where the processor has it, else a table.
uint32_t quire_crc32c(uint32_t previous, const void *bytes, size_t count);

/// The table version of the same function, for tests that compare the two.
uint32_t quire_crc32c_portable(uint32_t previous, const void *bytes, size_t count);

#endif
