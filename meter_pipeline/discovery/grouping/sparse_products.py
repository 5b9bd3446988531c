"""Products of sparse matrices of which only what is large is kept: whole, they would fill the memory."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array, vstack

_ROWS_AT_ONCE = 5_000


def product_of_at_least(one: csr_array, other: csr_array, least: float) -> csr_array:
    """Return the matrix product without what is under `least`, float32, indices sorted.

    Args:
        one: rows x columns, without negative numbers.
        other: columns x others, likewise.
        least: smallest number that is kept.
    """
    one, other, blocks = one.astype(np.float32), other.astype(np.float32), []
    for start in range(0, one.shape[0], _ROWS_AT_ONCE):
        block = csr_array(one[start : start + _ROWS_AT_ONCE] @ other)
        block.data[block.data < least] = 0
        block.eliminate_zeros()
        block.sort_indices()
        blocks.append(block)
    return csr_array(vstack(blocks, format="csr"))
