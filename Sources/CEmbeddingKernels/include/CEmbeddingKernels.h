// The arithmetic of a BERT encoder and the character tables of its tokenizer, in C because Swift has no way to compile
// one function for several instruction sets. Nothing here allocates, locks or keeps state: every buffer is the caller's,
// every function may run on many threads at once. Matrices are row-major; a stride counts elements between rows.
#ifndef CEMBEDDINGKERNELS_H
#define CEMBEDDINGKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The sets of instructions a kernel exists for, from what every CPU has to the fastest.
enum {
    EMBEDDING_PORTABLE = 0,      // plain C
    EMBEDDING_AVX2 = 1,          // AVX2 and FMA
    EMBEDDING_AVX512 = 2,        // AVX-512 F, BW, DQ, VL
    EMBEDDING_AVX512_BF16 = 3,   // the same, and dot products of bfloat16
};

/// Whether this CPU and this operating system run the kernels of `set`.
bool embedding_supports(int set);

/// Whether these kernels were compiled with optimisation: without it they are about forty times slower.
bool embedding_is_optimized(void);

enum {
    EMBEDDING_HEAD = 32,         // elements of one attention head
    EMBEDDING_ROW_MULTIPLE = 64, // every row of a matrix has a multiple of this many elements
    EMBEDDING_SLAB = 96,         // rows converted to bfloat16 at a time
};

/// What a linear layer does to its result.
enum { EMBEDDING_IDENTITY = 0, EMBEDDING_GELU = 1 };

/// Puts the weights of a linear layer, outputs rows of inputs elements, in the order embedding_linear_f32 of the same set reads
/// them: blocks of outputs, as many as its registers take; in a block, for each input, the weight of each output. `packed` has
/// outputs * inputs elements. Both are multiples of EMBEDDING_ROW_MULTIPLE, here and below.
void embedding_pack_f32(int set, const float *w, size_t inputs, size_t outputs, float *packed);

/// y[i][n] = activation(bias[n] + sum over k of x[i][k] * w[n][k]), for `rows` rows of `inputs` elements. A row of y is the same
/// to the last bit whatever rows are beside it.
void embedding_linear_f32(int set, const float *x, size_t rows, const float *packed, const float *bias, size_t inputs,
                          size_t outputs, int activation, float *y);

/// Rounds the weights of a linear layer to bfloat16, in the order embedding_linear_bf16 reads them:
/// blocks of 64 outputs; in a block, for each pair of inputs, the pair of each output. `packed` has outputs * inputs elements.
void embedding_pack_bf16(const float *w, size_t inputs, size_t outputs, uint16_t *packed);

/// As embedding_linear_f32, with weights and `x` rounded to bfloat16 and sums in float. Needs EMBEDDING_AVX512_BF16.
/// `packed` and `scratch` are aligned to 64 bytes; `scratch` has EMBEDDING_SLAB * inputs elements.
void embedding_linear_bf16(const float *x, size_t rows, const uint16_t *packed, const float *bias, size_t inputs,
                           size_t outputs, int activation, float *y, uint16_t *scratch);

/// Elements of scratch that embedding_attention needs for a sequence of `rows`.
size_t embedding_attention_scratch(size_t rows);

/// Multi-head scaled dot-product attention of one sequence over itself (Vaswani et al. 2017, section 3.2), without a mask.
/// q, k, v and out are `rows` rows of heads * EMBEDDING_HEAD elements.
void embedding_attention(int set, const float *q, const float *k, const float *v, size_t rows, size_t heads, float *out,
                         float *scratch);

/// x = (x + residual) normalised to mean 0 and variance 1 per row, times scale, plus shift. `residual` may be null.
void embedding_layer_norm(int set, float *x, const float *residual, size_t rows, size_t width, const float *scale,
                          const float *shift, float epsilon);

/// x[i] = words[ids[i]] + positions[i] + type, for one sequence; every id is a row of `words`.
void embedding_look_up(int set, const uint32_t *ids, size_t rows, size_t width, const float *words, const float *positions,
                       const float *type, float *x);

/// out = the mean of the rows of x, scaled to length 1. False, with out undefined, when that length is not a positive finite number.
bool embedding_mean_pool(int set, const float *x, size_t rows, size_t width, float *out);

/// What the normaliser of uncased BERT makes of one Unicode scalar.
enum {
    SCALAR_WORD = 0,        // part of a word
    SCALAR_DROPPED = 1,     // control, format and private-use characters, and accents
    SCALAR_SPACE = 2,       // ends a word
    SCALAR_PUNCTUATION = 3, // a word of its own
    SCALAR_IDEOGRAPH = 4,   // a word of its own
};

typedef struct {
    uint8_t kind;
    uint8_t count;       // scalars that stand in its place: lower-cased, decomposed, without accents
    uint32_t scalars[3];
} bert_scalar;

/// `scalar` is a Unicode scalar value; the answer is the reference normaliser's, see bert_unicode_tables.inc.
bert_scalar bert_normalize(uint32_t scalar);

#endif
