"""`merge`, `split` and `filter` move interactions and change none."""

from __future__ import annotations

from pathlib import Path

import pytest

from .recorded import exchange, invoke, load, record, urls

A, B = "https://a.example/", "https://b.example/"
pytestmark = pytest.mark.usefixtures("here")


def names() -> list[str]:
    """Return the files of the cassette folder."""
    return sorted(each.name for each in Path("cassettes").iterdir())


def test_merge_keeps_the_order_of_its_arguments() -> None:
    """All of the first, then all of the second; side files come along."""
    record("one", exchange(A + "1"), exchange(A + "2", b"x" * 5000))
    record("two", exchange(B), exchange(A + "1"))
    result = invoke("merge", "two", "one", "-o", "both")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "magneto: wrote cassettes/both.json: 4 interactions\n"
    assert urls("both") == [B, A + "1", A + "1", A + "2"]
    assert load("both")[:2] == load("two")


def test_merge_replaces_one_of_its_own_arguments_when_forced() -> None:
    """Everything is read before anything is written."""
    record("one", exchange(A))
    record("two", exchange(B))
    assert invoke("merge", "one", "two", "-o", "one").exit_code == 2
    assert urls("one") == [A]
    assert invoke("merge", "one", "two", "-o", "one", "--force").exit_code == 0
    assert urls("one") == [A, B]


def test_merge_needs_all_of_them() -> None:
    """One that is not there: exit status 3, and nothing is written."""
    record("one", exchange(A))
    assert invoke("merge", "one", "three", "-o", "both").exit_code == 3
    assert names() == ["one.json"]


def test_split_by_host_has_a_part_for_each() -> None:
    """Beside the cassette, named after both."""
    record("sub/all", exchange(A + "1"), exchange(B), exchange(A + "2"))
    assert invoke("split", "sub/all", "--by", "host").exit_code == 0
    assert urls("sub/all-a.example") == [A + "1", A + "2"]
    assert urls("sub/all-b.example") == [B]
    assert len(urls("sub/all")) == 3


def test_hosts_become_names_that_every_system_allows() -> None:
    """A port or an IPv6 address has colons; two that look alike stay apart."""
    one, two, three = exchange(), exchange(), exchange()
    one.request.port = 8080
    two.request.host = "::1"
    three.request.host = "a.example-8080"
    record("all", one, two, three)
    assert invoke("split", "all", "--by", "host").exit_code == 0
    assert names() == [
        "all-1.json",
        "all-a.example-8080-2.json",
        "all-a.example-8080.json",
        "all.json",
    ]


def test_split_by_size_numbers_the_parts() -> None:
    """With as many digits as it takes to sort them."""
    record("all", *(exchange(f"{A}{number}") for number in range(21)))
    assert invoke("split", "all", "--size", "2", "-o", "part").exit_code == 0
    assert names() == ["all.json", *(f"part-{number:02}.json" for number in range(1, 12))]
    assert urls("part-02") == [A + "2", A + "3"]
    assert urls("part-11") == [A + "20"]


def test_split_writes_nothing_where_one_part_exists() -> None:
    """Half of a set would be taken for the whole."""
    record("all", exchange(A), exchange(B))
    record("all-2", exchange(B))
    result = invoke("split", "all", "--size", "1")
    assert result.exit_code == 2
    assert "all-2.json exists already" in result.stderr
    assert names() == ["all-2.json", "all.json"]
    assert invoke("split", "all", "--size", "1", "-f").exit_code == 0


@pytest.mark.parametrize("arguments", [(), ("--by", "host", "--size", "2"), ("--size", "0")])
def test_split_is_told_how(arguments: tuple[str, ...]) -> None:
    """Exactly one way."""
    record("all", exchange(A))
    assert invoke("split", "all", *arguments).exit_code == 2


def test_a_part_of_a_path_stands_beside_it() -> None:
    """Whatever the cassette folder is."""
    record("all", exchange(A), exchange(B))
    assert invoke("split", "./cassettes/all.json", "--size", "1", "-d", "x").exit_code == 0
    assert names() == ["all-1.json", "all-2.json", "all.json"]


def test_filter_keeps_what_fits() -> None:
    """In the order that it had."""
    record("all", exchange(A), exchange(B, status=503), exchange(A + "x", status=404))
    assert (
        invoke("filter", "all", "--status", "4xx", "--status", "200", "-o", "some").exit_code == 0
    )
    assert urls("some") == [A, A + "x"]


def test_filter_inverted_keeps_the_rest() -> None:
    """In place, when forced."""
    record("all", exchange(A), exchange(B))
    assert invoke("filter", "all", "--host", "b.*", "-v", "-o", "all", "-f").exit_code == 0
    assert urls("all") == [A]


def test_a_filter_that_leaves_nothing_writes_nothing() -> None:
    """Exit status 1: a script can tell."""
    record("all", exchange(A))
    result = invoke("filter", "all", "--method", "PUT", "-o", "all", "--force")
    assert (result.exit_code, urls("all")) == (1, [A])
    assert "no interaction of 'all' is left: nothing was written" in result.stderr


def test_a_filter_of_nothing_is_a_copy_that_nobody_asked_for() -> None:
    """It asks what to keep."""
    record("all", exchange(A))
    result = invoke("filter", "all", "-o", "some")
    assert result.exit_code == 2
    assert "--host, --path, --method or --status" in result.stderr
