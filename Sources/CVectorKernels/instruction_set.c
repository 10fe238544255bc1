#include "CVectorKernels.h"

#if defined(__x86_64__)

#include <cpuid.h>

// The state that the operating system saves on a switch between threads: without its bits set, the registers exist
// but must not be used. Intel SDM volume 1, section 13.3.
#define XCR0_SSE_AND_AVX 0x06u
#define XCR0_AVX512 0xe6u

static unsigned saved_state(void) {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

bool quire_supports(quire_instruction_set set) {
    if (set == QUIRE_PLAIN) return true;

    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA)) return false;
    const unsigned state = saved_state();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    switch (set) {
    case QUIRE_AVX2:
        return (b & bit_AVX2) && (state & XCR0_SSE_AND_AVX) == XCR0_SSE_AND_AVX;
    case QUIRE_AVX512:
        return (b & bit_AVX512F) && (state & XCR0_AVX512) == XCR0_AVX512;
    case QUIRE_AVX512_VNNI:
        return (b & bit_AVX512F) && (b & bit_AVX512BW) && (b & bit_AVX512VL) && (c & bit_AVX512VNNI)
            && (state & XCR0_AVX512) == XCR0_AVX512;
    default:
        return false;
    }
}

#else

bool quire_supports(quire_instruction_set set) { return set == QUIRE_PLAIN; }

#endif
