// The kernels for any CPU: four lanes is what SSE2 and NEON have, and what plain loops do well on anything else.
#include "kernels.h"

#define LANES 4
#define ROWS 2
#define VECTORS 4
#define KERNELS embedding_kernels_portable
#include "kernels.inc"
