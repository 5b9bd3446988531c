"""Products of sparse matrices: what dense ones give, without what is small, in however many blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from meter_pipeline.discovery.grouping import sparse_products
from meter_pipeline.discovery.grouping.sparse_products import product_of_at_least


def test_it_is_the_product_without_what_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    one, other = (np.where(random.random((40, 40)) < 0.2, random.random((40, 40)), 0) for _ in range(2))
    expected = np.where(one @ other < 0.3, 0, one @ other)
    whole = product_of_at_least(csr_array(one), csr_array(other), 0.3)
    assert np.allclose(whole.toarray(), expected, atol=1e-6)
    monkeypatch.setattr(sparse_products, "_ROWS_AT_ONCE", 7)
    in_blocks = product_of_at_least(csr_array(one), csr_array(other), 0.3)
    assert in_blocks.data.tobytes() == whole.data.tobytes()
