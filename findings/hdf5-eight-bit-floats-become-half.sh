#!/bin/sh
# HDF5: numbers that are written as 8-bit floats can come out as half of what they should be, and bfloat16 is rounded
# otherwise than everywhere else.
#
#   version   HDF5 2.0.0 (of h5py 3.16.0), against ml_dtypes 0.6.0; the two types are the library's H5T_FLOAT_F8E4M3 and
#             H5T_FLOAT_BFLOAT16LE, made by hand here as h5py has no names for them
#   expected  the nearest number of the type, and of two that are equally near the even one, as IEEE 754, ml_dtypes and
#             the 16-bit floats of the same library have it; at any rate never further away than half a step
#   seen      below the smallest normal number, what is to be rounded up to a power of two becomes the power before it:
#             3.6 steps become 2 where 4 is nearest, 7.6 become 4. Of weights around 0 with a deviation of 0.02 every
#             tenth is stored as half of itself. In bfloat16 ties go away from zero
#   so what   a checkpoint that HDF5 converts as it writes is not the model that was quantised, and is biased towards 0;
#             nothing is said. Convert first, and write the bits. HDF5 1.10 to 1.14 do the same to 16-bit floats below
#             2^-14
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'h5py==3.16.0' 'numpy==2.4.6' 'ml_dtypes==0.6.0'
"$folder/venv/bin/python" - "$folder/numbers.h5" <<'PYTHON'
import sys
import h5py
import ml_dtypes
import numpy

file = h5py.File(sys.argv[1], "w")


def stored(numbers, bits, fraction, exponent, bias):
    """What numbers of 32 bits are in the file, written as the smaller type and read back as 32 bits."""
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(bits - 1, fraction, exponent, 0, fraction)
    kind.set_size(bits // 8)
    kind.set_ebias(bias)
    data = h5py.h5d.create(file.id, None, kind, h5py.h5s.create_simple(numbers.shape))
    data.write(h5py.h5s.ALL, h5py.h5s.ALL, numbers)
    back = numpy.empty_like(numbers)
    data.read(h5py.h5s.ALL, h5py.h5s.ALL, back)
    return back


E4M3, BFLOAT16 = (8, 3, 4, 7), (16, 7, 8, 127)
print("HDF5", h5py.version.hdf5_version)

STEP = numpy.float32(2.0 ** -9)  # between E4M3's numbers below 2^-6
steps = numpy.array([1.4, 1.6, 1.9, 2.6, 3.4, 3.6, 6.6, 7.4, 7.6, 8.0], dtype=numpy.float32)
small = stored(steps * STEP, *E4M3) / STEP
nearest = (steps * STEP).astype(ml_dtypes.float8_e4m3fn).astype(numpy.float32) / STEP
print("E4M3 steps", *steps, "\nstored as ", *small, "\nnearest   ", *nearest)
as_described = small.tolist() == [1, 1, 1, 3, 3, 2, 7, 7, 4, 8] and nearest.tolist() == [1, 2, 2, 3, 3, 4, 7, 7, 8, 8]

weights = numpy.random.default_rng(1).normal(0, 0.02, 100000).astype(numpy.float32)
got, want = stored(weights, *E4M3), weights.astype(ml_dtypes.float8_e4m3fn).astype(numpy.float32)
wrong, half = numpy.mean(got != want), numpy.mean((got != want) & (2 * got == want))
print(f"of 100,000 weights {100 * wrong:.1f}% are wrong, {100 * half:.1f}% are half; "
      f"mean size {numpy.abs(got).mean():.5f}, nearest {numpy.abs(want).mean():.5f}")
as_described &= 0.08 < half <= wrong < 0.2

ties = numpy.array([1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 5 * 2 ** -8], dtype=numpy.float32)
got, want = stored(ties, *BFLOAT16), ties.astype(ml_dtypes.bfloat16).astype(numpy.float32)
print("bfloat16 ties ", *ties, "\nstored as     ", *got, "\nnearest, even ", *want)
as_described &= got.tolist() == [1 + 2 ** -7, 1 + 2 ** -6, 1 + 3 * 2 ** -7]
as_described &= want.tolist() == [1, 1 + 2 ** -6, 1 + 2 ** -6]
sys.exit(not as_described)
PYTHON
