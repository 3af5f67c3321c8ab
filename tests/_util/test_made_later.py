"""Sequences whose objects are made when they are first asked for."""

from __future__ import annotations

import copy
import pickle

from swapnas_ext._util import MadeLater
from swapnas_ext._util.same_with_nan import same


def test_they_are_made_once_and_act_as_a_list() -> None:
    calls: list[str] = []

    def make() -> list[int]:
        calls.append("made")
        return [3, 1, 2]

    later = MadeLater(3, make)
    assert len(later) == 3 and not calls
    assert later[1] == 1 and later[1:] == [1, 2] and list(later) == [3, 1, 2]
    assert calls == ["made"]
    assert later == [3, 1, 2] and later == [3, 1, 2] and later == MadeLater(3, make)
    assert later != [3, 1] and later != (3, 1, 2)
    assert same(later, (3, 1, 2)) and same([3, 1, 2], later)
    assert sorted(later) == [1, 2, 3] and 2 in later
    assert pickle.loads(pickle.dumps(MadeLater(3, make))) == [3, 1, 2] == copy.deepcopy(later)
    assert repr(later) == "[3, 1, 2]"
