"""What is kept of a command's output."""

import pytest

from hcl.client.output import Output


def kept(*chunks: bytes, limit: int, most: int = 1000) -> bytes:
    output = Output(most)
    for chunk in chunks:
        output.add(chunk)
    return output.within(limit)


@pytest.mark.parametrize("chunks", [(), (b"",), (b"a", b"b\n"), (b"x" * 100,)])
def test_short_output_is_kept_whole(chunks: tuple[bytes, ...]) -> None:
    assert kept(*chunks, limit=100) == b"".join(chunks)


@pytest.mark.parametrize("length", [101, 999, 1000, 1001, 5000, 10**6])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_long_output_keeps_its_beginning_and_its_end(length: int, size: int) -> None:
    if length // size > 10**5:
        size = 4096
    whole = b"".join(b"%d " % n for n in range(length))[:length]
    chunks = [whole[start : start + size] for start in range(0, length, size)]

    body = kept(*chunks, limit=100)

    head, mark, tail = body.partition(b"\n[... ")
    left_out, _, tail = tail.partition(b" bytes left out ...]\n")
    assert mark
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert len(head) + len(tail) + int(left_out) == length
    assert len(body) <= 100


@pytest.mark.parametrize("character", ["é", "€", "𝄞"])
def test_no_character_is_cut_in_two(character: str) -> None:
    for shift in range(4):
        whole = b"x" * shift + (character * 500).encode()
        assert "\ufffd" not in kept(whole, limit=200).decode("utf-8", "replace")


def test_a_tiny_limit_keeps_the_end() -> None:
    assert kept(b"x" * 50 + b"end", limit=3) == b"end"
    assert kept(b"x" * 50, limit=0) == b""
