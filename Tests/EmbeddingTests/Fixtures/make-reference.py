#!/usr/bin/env python3
"""Writes reference.json (hard texts and their token ids) and reference.f32 (their vectors) with sentence-transformers' own parts.

    pip install torch sentence-transformers==6.2.0 tokenizers==0.23.3
    python3 make-reference.py MODEL_DIRECTORY        # a checkout of sentence-transformers/all-MiniLM-L6-v2

Ids come from the Rust tokenizer, put together without its "added tokens": the ready-made one cuts "[CLS]" or "[UNK]" out of a
user's text and gives the model its own marks, which we do not want. For every text without such a mark both are compared.
Vectors come from the transformer fed with these ids, then mean over tokens and length 1, in float32 on the CPU. For the same
texts they are compared with SentenceTransformer.encode. reference.f32: little-endian, 384 numbers a text, in order.
"""

import json
import pathlib
import sys

import numpy
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

MAX_TOKENS = 256
directory = pathlib.Path(sys.argv[1])
here = pathlib.Path(__file__).parent

words = "the quick brown fox jumps over a lazy dog while rivers of vectors flow through quiet libraries".split()

texts = [
    # empty and nearly empty
    "", " ", "\t\n\r ", ".", "...", "?!", "\u200b", "\u00ad", "\u0301", "\u0301\u0302\u0303", "\x00", "\x01\x02\x1f\x7f", "\ufeff", "\u2028\u2029",
    "\u00a0\u3000\u2003", "-", "--- *** ___", "'", "\"\"", "\\",
    # plain
    "a", "hello world", "Hello, World!", "The quick brown fox jumps over the lazy dog.", "HELLO WORLD", "hElLo wOrLd",
    "unaffable embeddings antidisestablishmentarianism", "I don't can't won't shouldn't've", "state-of-the-art e-mail co-operate",
    "  leading and trailing   spaces  ", "tabs\tand\nnewlines\r\nand\x0bvertical\x0cfeeds", "snake_case camelCase kebab-case SCREAMING_CASE",
    # accents, decompositions, case
    "café naïve résumé façade", "cafe\u0301 nai\u0308ve re\u0301sume\u0301", "Ångström Ærøskøbing smørrebrød", "Łódź Gdańsk żółć",
    "İstanbul ISTANBUL ıstanbul istanbul", "dotless ı and dotted İ", "Straße STRASSE ẞ ß große", "ﬁ ﬂ ﬃ ﬀ ligatures", "Œuvre œuvre Æther æther ĳ Ĳ",
    "Ǆ ǅ ǆ Ǉ ǈ", "Ňěmcová Čeština říčka", "ŐŰ őű árvíztűrő tükörfúrógép", "Việt Nam Tiếng Việt Đặng", "ÀÉÎÕÜ àéîõü ÿ Ÿ", "ℵ ℝ ℂ K Å Ω µ",
    "ＦＵＬＬ ｗｉｄｔｈ １２３", "ΑΒΓ αβγ ΣΊΣΥΦΟΣ Σίσυφος ὈΔΥΣΣΕΎΣ", "ά ή ώ ΐ ᾳ ᾼ", "Привет, мир! ЁЖИК ёжик Йод", "Ѐ Ѝ ў Ї", "Հայերեն ԲԱՐԵՒ և", "ᲐᲑᲒ აბგ ქართული",
    "a\u0301\u0323 b\u0327\u030c z\u0335", "Z\u0351\u036b\u0343a\u0328\u030al\u0334g\u0321o\u0322 text",
    # CJK and other scripts
    "我爱北京天安门", "東京都 とうきょう トウキョウ", "日本語とEnglishの混在テキスト", "한국어 텍스트 각", "\u1112\u1161\u11ab\u1100\u1173\u11af", "漢字kanji漢字", "㐀㐁 𠀀𠀁 豈更車",
    "ｶﾀｶﾅ ガギグゲゴ ぱぴぷ", "ไทย ภาษาไทย กำ", "हिन्दी भाषा क़ ख़", "বাংলা কো কৌ", "தமிழ் கொ", "తెలుగు ಕನ್ನಡ മലയാളം", "བོད་ཡིག", "ខ្មែរ ລາວ", "አማርኛ", "ᚠᚢᚦ ᏣᎳᎩ Ꮳ ꭰ",
    # right to left
    "שלום עולם", "שָׁלוֹם", "مرحبا بالعالم", "السَّلَامُ عَلَيْكُمْ", "abc \u202eright to left\u202c def", "\u200fمرحبا\u200e hello", "آأإؤئ ﷲ ﻻ",
    # emoji and symbols
    "😀 😃 smile", "👨‍👩‍👧‍👦 family", "👍🏽 thumbs", "🇩🇪🇫🇷 flags", "❤️ vs ❤", "1️⃣ keycap", "♠♣♥♦ ★☆ ©®™", "→ ⇒ ∀x∈ℝ ∃y ≠ ≤ ≥ ≮ ±", "a⁄b ½ ¼ x² H₂O", "№ ℅ ℃ ㏒ ㎏",
    "$100 €200 £300 ¥400 ₹500 ₿", "“quotes” ‘single’ «guillemets» „low“", "em—dash en–dash hyphen‐ minus−", "ellipsis… bullet• middle·dot", "¿Qué? ¡Hola!", "·;` Ô´`",
    "𝓗𝓮𝓵𝓵𝓸 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛", "𐐀𐐁 𐐨𐐩 Deseret", "𝅗𝅥 𝅘𝅥𝅮 music", "𓀀𓀁 𒀀𒀁",
    # invisible, private, unassigned
    "soft\u00adhyphen hy\u00adphen\u00adation", "zero\u200bwidth\u200cnon\u200djoiner", "word\u2060joiner\ufeffbom", "private \ue000\uf8ff use \U000f0000\U0010fffd",
    "unassigned \u0378\u0379 \U0003fffe \U000e0080", "noncharacter \ufffe\uffff \U0001ffff", "replacement \ufffd character", "nul\x00in\x00side", "bell\x07 esc\x1b[31mred\x1b[0m",
    "next\u0085line", "mongolian\u180evowel", "variation\ufe0f selector\U000e0100", "interlinear\ufff9anno\ufffatation\ufffb", "tag\U000e0041\U000e007f", "\u115f\u3164 filler",
    # marks of the model as text
    "[UNK]", "[CLS] hello [SEP]", "[MASK] [PAD] [UNK]", "a[CLS]b", "[unused1] [unused99]", "##ing ##ed ##", "# ## ###", "[cls] [sep] [unk]", "[ CLS ]",
    # numbers, addresses, code
    "3.14159 1,000,000 -42 1e-10 0xFF", "2026-11-22T18:21:19Z", "192.168.0.1 ::1 fe80::1%eth0", "+49 (0)30 123456-78",
    "https://example.com/path?query=1&other=%20#fragment", "user.name+tag@example.co.uk", "C:\\Windows\\System32 /usr/local/bin", "SELECT * FROM t WHERE a<>b;",
    "func f<T>(_ x: T?) -> [T] { x.map { [$0] } ?? [] }", "<html><body>&nbsp;</body></html>", "{\"key\": [1, 2.5, null]}", "\\u0041 \\n \\t", "@user #hashtag $TICKER",
    # long words and texts
    "a" * 99, "a" * 100, "a" * 101, "ab" * 200, "é" * 100, "e\u0301" * 100, "한" * 40, "한" * 33 + "가", "x" * 50 + "\u00ad" * 60 + "y" * 50, "中" * 300, "." * 400,
    "unbelievable" * 8, "unbelievable" * 9, "z" * 100 + " ok", "[" * 254, "word " * 253, "word " * 254, "word " * 255, "word " * 1000,
    " ".join(words[i * i % len(words)] for i in range(320)), ("antidisestablishmentarianism " * 60).strip(), "embeddings " * 127 + "tail", "a " * 252 + "antidisestablishmentarianism",
]
assert len(texts) == len(set(texts)) and len(texts) >= 100, len(texts)

vocabulary = {line.rstrip("\n"): i for i, line in enumerate(open(directory / "vocab.txt", encoding="utf-8"))}
tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
tokenizer.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
tokenizer.pre_tokenizer = BertPreTokenizer()
model = SentenceTransformer(str(directory), device="cpu")
assert model.max_seq_length == MAX_TOKENS

ids, vectors = [], []
for text in texts:
    tokens = [vocabulary["[CLS]"], *tokenizer.encode(text).ids[: MAX_TOKENS - 2], vocabulary["[SEP]"]]
    with torch.no_grad():
        states = model[0].auto_model(input_ids=torch.tensor([tokens])).last_hidden_state[0]
        vector = torch.nn.functional.normalize(states.mean(dim=0), dim=0).numpy()
    if not any(mark in text for mark in ("[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]")):
        assert model.tokenizer(text, truncation=True, max_length=MAX_TOKENS)["input_ids"] == tokens, text
        assert float(model.encode(text, convert_to_numpy=True) @ vector) > 0.999999, text
    ids.append(tokens)
    vectors.append(vector)

entries = ",\n".join(json.dumps({"text": text, "ids": tokens}) for text, tokens in zip(texts, ids))
(here / "reference.json").write_text("[\n" + entries + "\n]\n")
numpy.array(vectors, dtype="<f4").tofile(here / "reference.f32")
print(len(texts), "texts")
