"""News of the results cache: each line once, whole, in bounded pieces, and from the beginning of another file."""

from __future__ import annotations

from pathlib import Path

import pytest

from neps._ledger import news as module
from neps._ledger.layout import Layout
from neps._ledger.news import News
from neps._ledger.results_cache import ResultsCache
from neps._trial import Decision, Result, Status, Trial


def success(number: int, **info: str) -> Trial:
    decision, result = Decision(number=number, config={"x": 0.5}), Result.of(success=True, loss=0.5, info_dict=info)
    return Trial(number=number, decision=decision, result=result, status=Status.SUCCESS)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, "run")


def numbers(news: News, *most: int) -> list[int]:
    return [number for number, _ in news.read_on(*most)]


def test_what_was_read_is_not_read_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        ResultsCache(layout, "worker").append(success(number))
    news = News(layout)
    assert numbers(news) == [1, 2]
    with monkeypatch.context() as patch:
        patch.setattr(module, "piece", lambda *_: pytest.fail("the file was read again"))
        assert numbers(news) == []
    (path,) = Path(layout.results_cache).iterdir()
    first = path.read_bytes().splitlines(keepends=True)[0]
    with path.open("ab") as file:
        file.write(first[:20])
        file.flush()
        assert numbers(news) == [], "it is being written"
        file.write(first[20:])
    assert numbers(news) == [1]
    path.write_bytes(first)
    assert numbers(news) == [1], "another file of that name"


def test_a_look_stops_where_it_is_to_and_goes_on(layout: Layout) -> None:
    for number in range(1, 10):
        ResultsCache(layout, f"worker{number % 2}").append(success(number))
    news, seen = News(layout), list[int]()
    while not news.complete:
        new = numbers(news, 1000)
        assert len(new) <= 4
        seen += new
    assert sorted(seen) == list(range(1, 10))


def test_a_line_that_is_longer_than_a_piece(layout: Layout) -> None:
    """Of a trial with much in its info_dict: who follows the run isn't stuck there."""
    for number in (1, 2):
        ResultsCache(layout, "worker").append(success(number, text="x" * 400_000))
    news = News(layout)
    assert numbers(news, 1000) + numbers(news, 1000) == [1, 2]
    assert numbers(news) == []
    assert news.complete


def test_what_is_no_line_at_all_is_passed_over(layout: Layout) -> None:
    ResultsCache(layout, "worker").append(success(1))
    path = Path(layout.results_cache, "worker.jsonl")
    path.write_bytes(b"\0" * (1 << 21) + b"\n" + path.read_bytes())
    assert numbers(News(layout)) == [1]
