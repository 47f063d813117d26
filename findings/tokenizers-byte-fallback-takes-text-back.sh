#!/bin/sh
# tokenizers: with the ByteFallback decoder (Llama 2's, Mistral's, Gemma's) one more token can take away text that was
# complete, and not the last character alone.
#
#   version   tokenizers 0.22.1
#   expected  tokens that decode to whole characters stay so: what follows can only complete or spoil the character
#             that is open at the end, which is what programs that stream text rely on
#   seen      byte tokens in a row are valid as a whole or not at all: <0x41> is "A" and <0x41><0x0A> "A" and a new
#             line, but with <0xE4> behind them, the first byte of a character, all three become U+FFFD; the two that
#             complete it bring the letter and the new line back
#   so what   text that is shown, searched for a stop string or judged token by token may be gone with the next token;
#             only tokens before a run of byte tokens are settled
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'tokenizers==0.22.1'
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from tokenizers import decoders

decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
TOKENS = ["<0x41>", "<0x0A>", "<0xE4>", "<0xBD>", "<0xA0>"]
SEEN = ["A", "A\n", "\ufffd\ufffd\ufffd", "\ufffd\ufffd\ufffd\ufffd", "A\n\u4f60"]
changed = 0
for count, seen in enumerate(SEEN, 1):
    got = decoder.decode(TOKENS[:count])
    print(f"{' '.join(TOKENS[:count]):34} decodes to {got!a}")
    changed += got != seen
sys.exit(1 if changed else 0)
PYTHON
