#!/usr/bin/env python3
"""Writes Sources/TextSearch/ScalarTable+Data.swift: what a Unicode scalar is to the analyser, and what it becomes.

    python3 make-scalar-table.py > ../../../Sources/TextSearch/ScalarTable+Data.swift

The tables are in the source, and not asked of the standard library, because an index on disk must be analysed by the tables that it
was made with: a Swift with a newer Unicode would look for other terms than there are. Whoever runs this with another version of Unicode
raises `Analyzer.version`.
"""
import sys
import unicodedata

HANGUL = range(0xAC00, 0xD7A4)
# Letters that have no decomposition and are still read as others.
PLAIN = {
    "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i", "ȷ": "j", "ŧ": "t", "ŋ": "n", "ĸ": "k",
    "ƀ": "b", "ƃ": "b", "ɓ": "b", "ƈ": "c", "ȼ": "c", "ɗ": "d", "ƌ": "d", "ǝ": "e", "ə": "e", "ɛ": "e", "ɇ": "e", "ƒ": "f", "ǥ": "g",
    "ɠ": "g", "ɨ": "i", "ɩ": "i", "ɉ": "j", "ƙ": "k", "ƚ": "l", "ɫ": "l", "ɲ": "n", "ƞ": "n", "ɔ": "o", "ɵ": "o", "ƥ": "p", "ɍ": "r",
    "ȿ": "s", "ƭ": "t", "ʈ": "t", "ⱦ": "t", "ʉ": "u", "ʋ": "v", "ƴ": "y", "ɏ": "y", "ƶ": "z", "ȥ": "z", "ɀ": "z",
}
# Written without spaces: kana, ideographs, and the scripts of line breaking class SA (Thai, Lao, Myanmar, Khmer and their kin).
SINGLES = [
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0x3005, 0x3007), (0x3021, 0x3029),
    (0x3031, 0x3035), (0x3038, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAADF),
    (0xF900, 0xFAFF), (0xFF66, 0xFF9D), (0x11700, 0x1174F), (0x1AFF0, 0x1B16F), (0x20000, 0x3FFFF),
]
PICTOGRAPHS = [(0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x1F000, 0x1FAFF)]
SKIN_TONES = range(0x1F3FB, 0x1F400)
IGNORED_LETTERS = {0x115F, 0x1160, 0x3164, 0xFFA0}
APOSTROPHES = {0x27, 0x2019, 0x2BC, 0xFF07}
VARIATIONS = [(0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF), (0x034F, 0x034F)]


def within(ranges, scalar):
    return any(first <= scalar <= last for first, last in ranges)


def is_accent(character):
    """Marks above, below and through a letter, and the points of Hebrew and Arabic. Not vowel signs, viramas, nuktas and voicing."""
    combining = unicodedata.combining(character)
    return unicodedata.category(character) == "Mn" and (combining == 1 or 10 <= combining <= 36 or combining >= 200)


def kind(scalar):
    character = chr(scalar)
    category = unicodedata.category(character)
    if scalar in APOSTROPHES:
        return "q"
    if scalar in IGNORED_LETTERS or scalar in SKIN_TONES or category == "Me" or within(VARIATIONS, scalar) or is_accent(character):
        return "i"
    if category == "Cf":
        return None if scalar == 0x200B else "i"
    if category[0] == "M":
        return "m"
    # The halfwidth voicing marks are letters by category and marks by use.
    if scalar in (0xFF9E, 0xFF9F):
        return "m"
    if within(SINGLES, scalar) and category in ("Lo", "Lm", "Nl"):
        return "s"
    if category[0] == "L":
        return "l"
    if category[0] == "N":
        return "n"
    if category == "So" and within(PICTOGRAPHS, scalar):
        return "s"
    return None


def is_part(character):
    return unicodedata.category(character)[0] in "LNM"


def is_one_word(scalars, whole):
    """Whether the analyser would take them for one word, so that a text and its folded form have the same words."""
    kinds = "".join(kind(scalar) for scalar in scalars)
    if whole == "m":
        return not kinds.strip("m")
    return kinds != "" and kinds[0] != "m" and (not kinds[1:].strip("m") if "s" in kinds else not kinds.strip("lnm"))


def fold(scalar):
    text = chr(scalar)
    for _ in range(4):
        decomposed = unicodedata.normalize("NFKD", text.casefold())
        if not all(map(is_part, decomposed)):
            decomposed = unicodedata.normalize("NFD", text.casefold())
        digits = (str(unicodedata.decimal(c)) if unicodedata.decimal(c, None) is not None else c for c in decomposed)
        text = "".join(PLAIN.get(c, c) for c in digits if kind(ord(c)) not in ("i", "q"))
    folded = [ord(c) for c in text]
    return folded if is_one_word(folded, kind(scalar)) else [scalar]


def classes():
    runs = []
    for scalar in range(sys.maxunicode + 1):
        found = None if 0xD800 <= scalar < 0xE000 else kind(scalar)
        if found is None:
            continue
        if runs and runs[-1][2] == found and runs[-1][1] == scalar:
            runs[-1][1] = scalar + 1
        else:
            runs.append([scalar, scalar + 1, found])
    end = 0
    for start, stop, letter in runs:
        yield f"{start - end:x}{letter}{stop - start:x}"
        end = stop


def folds():
    rest = {}
    for scalar in range(sys.maxunicode + 1):
        if 0xD800 <= scalar < 0xE000 or scalar in HANGUL or kind(scalar) in (None, "i", "q"):
            continue
        folded = fold(scalar)
        if folded != [scalar]:
            rest[scalar] = folded
    tokens = []
    for scalar in sorted(rest):
        if scalar not in rest:
            continue
        target = rest[scalar]
        best = (1, 1, 0)
        if len(target) == 1:
            for stride in (1, 2):
                for step in (0, 1, 2):
                    count = 1
                    while rest.get(scalar + count * stride) == [target[0] + count * step]:
                        count += 1
                    best = max(best, (count, stride, step))
        count, stride, step = best
        for number in range(count):
            del rest[scalar + number * stride]
        tokens.append((scalar, count, stride, step, target))
    previous = 0
    for scalar, count, stride, step, target in tokens:
        text = f"{scalar - previous:x}="
        if count > 1:
            text = f"{scalar - previous:x}:{count:x}:{stride}:{step}="
        yield text + "-".join(f"{value:x}" for value in target)
        previous = scalar


def lines(tokens, indent):
    line = indent
    for token in tokens:
        if len(line) + 1 + len(token) > 136:
            yield line + " \\"
            line = indent
        line += (" " if line != indent else "") + token
    yield line


print(f"""\
// Made by Tests/TextSearchTests/Fixtures/make-scalar-table.py from Unicode {unicodedata.unidata_version}; do not edit.

extension ScalarTable {{
    /// Runs of scalars of one class: how many are left out since the last run, the letter of the class, how many it has; in hexadecimal.
    static let classText: StaticString = \"""
{chr(10).join(lines(classes(), "        "))}
        \"""

    /// Scalars that become others: the distance from the last one, then, for a run, its count and the strides of its scalars and of what
    /// they become; then what the first one becomes; in hexadecimal. A scalar becomes letters, digits and marks only.
    static let foldText: StaticString = \"""
{chr(10).join(lines(folds(), "        "))}
        \"""
}}""")
