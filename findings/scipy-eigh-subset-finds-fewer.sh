#!/bin/sh
# scipy.linalg.eigh, asked for the largest eigenvalue by its index, gives none, without an error.
#
#   version   scipy 1.17.1 (its OpenBLAS 0.3.31), numpy 2.4.1, Python 3.11
#   expected  subset_by_index=[4, 4] of a symmetric matrix of order 5 gives one eigenvalue, 4, and its
#             vector; [0, 4] gives five
#   seen      [4, 4] gives arrays of 0 values, of drivers evr (the default) and evx alike; LAPACK's info
#             is 0. [0, 4] gives 0, 0, 1, 3, 4
#   so what   LAPACK takes another way for a part of the eigenvalues than for all of them, which fails where
#             the tridiagonal matrix falls apart: equal rows, zeros, small integers, as Gram matrices of
#             answers that are right or wrong have them. Which matrices, follows the last bits, so OpenBLAS's
#             kernels for Haswell are asked for here. Compare the count with what was asked for, or ask for all
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'scipy==1.17.1' 'numpy==2.4.1'
OPENBLAS_CORETYPE=Haswell "$folder/venv/bin/python" - <<'PYTHON'
import sys
import numpy as np
from scipy.linalg import eigh

matrix = np.array([[1, 1, 0, -1, 1], [1, 2, 0, 0, 1], [0, 0, 0, 0, 0], [-1, 0, 0, 3, 0], [1, 1, 0, 0, 2]], dtype=float)
whole = eigh(matrix, eigvals_only=True, subset_by_index=[0, 4])
print("all    ", np.round(whole, 6))
found = {}
for driver in ("evr", "evx"):
    values, vectors = eigh(matrix, subset_by_index=[4, 4], driver=driver)
    print(f"largest {values}, vectors {vectors.shape}, driver {driver}")
    found[driver] = len(values)
sys.exit(0 if len(whole) == 5 and abs(whole[4] - 4) < 1e-9 and found == {"evr": 0, "evx": 0} else 1)
PYTHON
