#include "quire_faults.h"
