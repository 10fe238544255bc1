#!/usr/bin/env python3
"""Writes Sources/CEmbeddingKernels/bert_unicode_tables.inc: what BERT's uncased normaliser does to every Unicode scalar.

The reference is the Rust normaliser that sentence-transformers runs (PyPI `tokenizers`), asked scalar by scalar, so the
table carries its version of Unicode and a vector stays the same whatever Swift or ICU this is built with.

    pip install tokenizers==0.23.3
    python3 make-unicode-tables.py VOCAB_TXT > ../../../Sources/CEmbeddingKernels/bert_unicode_tables.inc

The normaliser works scalar by scalar but for one thing: canonical ordering may swap neighbouring combining marks that
survive (the few that are not Mn). No such mark is in the vocabulary, so either order makes the word [UNK]; checked below.
"""

import sys
import unicodedata

import tokenizers
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

HANGUL = range(0xAC00, 0xD7A4)

normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True)
splitter = BertPreTokenizer()
vocabulary = "".join(line.rstrip("\n") for line in open(sys.argv[1], encoding="utf-8"))

classes = {}  # scalar -> DROPPED, SPACE, IDEOGRAPH or PUNCTUATION; absent: part of a word
folds = {}  # scalar -> the scalars that replace it, when it does not stay as it is

for scalar in range(0x110000):
    if 0xD800 <= scalar < 0xE000:
        continue
    text = "x" + chr(scalar) + "y"
    normalized = normalizer.normalize_str(text)
    middle = normalized[1:-1]
    words = [word for word, _ in splitter.pre_tokenize_str(normalized)]
    assert normalized[0] == "x" and normalized[-1] == "y"
    if middle == "":
        classes[scalar] = "DROPPED"
        continue
    if middle == " ":
        classes[scalar] = "SPACE"
        continue
    if middle[0] == " ":
        assert len(middle) == 3 and middle[2] == " "
        middle, kind = middle[1], "IDEOGRAPH"
    elif len(words) == 3:
        assert len(middle) == 1
        kind = "PUNCTUATION"
    else:
        assert len(words) == 1
        kind = None
    if middle == chr(scalar):
        if kind:
            classes[scalar] = kind
    elif scalar not in HANGUL:  # decomposed by arithmetic
        assert len(middle) <= 3
        folds[scalar] = (middle, kind)
    if unicodedata.combining(middle[0]) != 0:
        assert middle[0] not in vocabulary, hex(scalar)

for scalar, (middle, kind) in folds.items():
    for c in middle:
        assert ord(c) not in folds and classes.get(ord(c)) == kind, hex(scalar)

ranges = []
for scalar in sorted(classes):
    if ranges and ranges[-1][1] == scalar - 1 and ranges[-1][2] == classes[scalar]:
        ranges[-1][1] = scalar
    else:
        ranges.append([scalar, scalar, classes[scalar]])


def table(declaration, entries, per_line):
    print(declaration + " = {")
    for start in range(0, len(entries), per_line):
        print("    " + " ".join(entries[start : start + per_line]))
    print("};\n")


print(f"// Made by Tests/EmbeddingTests/Fixtures/make-unicode-tables.py from tokenizers {tokenizers.__version__}; do not edit.\n")
table("static const scalar_range SCALAR_CLASSES[]", ["{0x%X, 0x%X, SCALAR_%s}," % tuple(r) for r in ranges], 3)
single = [(s, m) for s, (m, _) in folds.items() if len(m) == 1]
several = [(s, m) for s, (m, _) in folds.items() if len(m) > 1]
table("static const scalar_fold SCALAR_FOLDS[]", ["{0x%X, 0x%X}," % (s, ord(m)) for s, m in single], 6)
table(
    "static const scalar_sequence SCALAR_SEQUENCES[]",
    ["{0x%X, {%s}}," % (s, ", ".join("0x%X" % ord(c) for c in m)) for s, m in several],
    4,
)
