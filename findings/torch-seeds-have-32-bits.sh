#!/bin/sh
# PyTorch: on the CPU, seeds whose lower 32 bits are the same give the same random numbers, though a seed may have 64 bits
# and the generator tells all 64 back.
#
#   version   torch 2.15.0, numpy 2.4.6
#   expected  manual_seed takes values "within the inclusive range [-0x8000000000000000, 0xffffffffffffffff]"; different
#             ones of them start different streams, as they do with NumPy, and as initial_seed() suggests, which differs.
#             (Generator.manual_seed adds that any 32-bit integer is a valid seed.)
#   seen      5, 5 + 2^32 and 5 + 2^40 give the same normal numbers, permutations and samples; so do -1 and 2^32 - 1. Of
#             100,000 seeds that are hashes of 64 bits two pairs are the same stream each, by the chance of 32 bits; of 64
#             bits one such set in 10^9 would have a pair. NumPy's streams differ
#   so what   seeds are often built as rank << 32 | step, or by a hash. The first gives every rank the same noise and the
#             same order of data: perturbations of a model, which are to be independent, are copies of each other. The
#             second repeats itself after tens of thousands of seeds. Put what must differ in the lower half
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.15.0' 'numpy==2.4.6'
"$folder/venv/bin/python" - <<'PYTHON'
import hashlib
import sys
import numpy
import torch


def stream(seed):
    generator = torch.Generator().manual_seed(seed)
    told = generator.initial_seed()
    drawn = [torch.randn(1000, generator=generator), torch.randperm(1000, generator=generator),
             torch.multinomial(torch.ones(1000), 10, generator=generator)]
    return told, tuple(tuple(values.tolist()) for values in drawn)


as_described = True
for seeds in ((5, 5 + 2 ** 32, 5 + 2 ** 40), (-1, 2 ** 32 - 1)):
    streams = [stream(seed) for seed in seeds]
    for seed, (told, drawn) in zip(seeds, streams):
        print(f"seed {seed:14} told back as {told:20}: {' '.join(f'{value:8.5f}' for value in drawn[0][:4])}")
    as_described &= len({told for told, _ in streams}) == len(seeds) and len({drawn for _, drawn in streams}) == 1

hashes = [int.from_bytes(hashlib.sha256(b"member %d" % k).digest()[:8], "little") for k in range(100000)]
first = {}
for seed in hashes:
    start = tuple(torch.randn(8, generator=torch.Generator().manual_seed(seed)).tolist())
    first.setdefault(start, []).append(seed)
same = [seeds for seeds in first.values() if len(seeds) > 1]
for seeds in same:
    print("hashes", " and ".join(f"{seed:#018x}" for seed in seeds), "start the same stream")
    as_described &= len({seed % 2 ** 32 for seed in seeds}) == 1
apart = len({tuple(numpy.random.default_rng(seed).standard_normal(8)) for seed in (5, 5 + 2 ** 32, 5 + 2 ** 40)})
print(f"{len(set(hashes))} different hashes, {len(first)} streams; NumPy: {apart} streams of the first three seeds")
sys.exit(not (as_described and same and len(set(hashes)) == 100000 and apart == 3))
PYTHON
