// Looks up what the normaliser of uncased BERT makes of a Unicode scalar.
#include "CEmbeddingKernels.h"

typedef struct { uint32_t first, last; uint8_t kind; } scalar_range;
typedef struct { uint32_t scalar, replacement; } scalar_fold;
typedef struct { uint32_t scalar, replacements[3]; } scalar_sequence;

#include "bert_unicode_tables.inc"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

// How many entries of a sorted table begin at or before `scalar`. Every kind of entry begins with the scalar it is about.
static size_t entries_up_to(uint32_t scalar, const void *table, size_t count, size_t size) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (*(const uint32_t *)((const char *)table + middle * size) <= scalar) low = middle + 1;
        else high = middle;
    }
    return low;
}

#define UP_TO(scalar, table) entries_up_to(scalar, table, COUNT(table), sizeof(table)[0])

static uint8_t kind_of(uint32_t scalar) {
    size_t n = UP_TO(scalar, SCALAR_CLASSES);
    return n > 0 && scalar <= SCALAR_CLASSES[n - 1].last ? SCALAR_CLASSES[n - 1].kind : SCALAR_WORD;
}

bert_scalar bert_normalize(uint32_t scalar) {
    // The canonical decomposition of a Hangul syllable into two or three letters (Unicode, section 3.12).
    if (scalar >= 0xAC00 && scalar <= 0xD7A3) {
        uint32_t index = scalar - 0xAC00, last = index % 28;
        return (bert_scalar){SCALAR_WORD, last ? 3 : 2, {0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11A7 + last}};
    }
    size_t n = UP_TO(scalar, SCALAR_SEQUENCES);
    if (n > 0 && SCALAR_SEQUENCES[n - 1].scalar == scalar) {
        const uint32_t *r = SCALAR_SEQUENCES[n - 1].replacements;
        return (bert_scalar){SCALAR_WORD, r[2] ? 3 : 2, {r[0], r[1], r[2]}};
    }
    n = UP_TO(scalar, SCALAR_FOLDS);
    if (n > 0 && SCALAR_FOLDS[n - 1].scalar == scalar) scalar = SCALAR_FOLDS[n - 1].replacement;
    return (bert_scalar){kind_of(scalar), 1, {scalar}};
}
