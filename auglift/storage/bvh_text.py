"""The grammar of BVH: text → tree and numbers, and back. What the numbers mean is in `bvh`.

Lines may be indented by anything and end as on any system; a brace may share a line; keywords and
channel names may be in any case; numbers may have exponents. A joint's name is the rest of its
line. There is one ROOT: the format allows several, but its readers do not agree on what follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import BrokenFileError

FloatArray = npt.NDArray[np.floating[Any]]
Line = tuple[int, str]
"""A line's number, from 1, and its text without the space around it."""

CHANNELS = ("Xposition", "Yposition", "Zposition", "Xrotation", "Yrotation", "Zrotation")


@dataclass
class Node:
    """A joint or an end site; nodes are listed in the order of the file."""

    name: str
    parent: int
    """Index among the nodes; −1 for the root."""
    is_end: bool
    offset: tuple[float, ...] = ()
    channels: tuple[str, ...] = ()


def parse(text: str, where: Path) -> tuple[list[Node], float, FloatArray]:
    """Return the nodes, the time of one frame in seconds, and the motion (T, channels)."""
    lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), start=1)]
    lines = [(i, line) for i, line in lines if line]
    if not lines or lines[0][1].upper() != "HIERARCHY":
        raise BrokenFileError("not a BVH file: it does not begin with HIERARCHY", where=where)
    keywords = [line.upper() for _, line in lines]
    if "MOTION" not in keywords:
        raise _error(where, lines[-1][0], "the file ends before its MOTION")
    i_motion = keywords.index("MOTION")
    nodes = _Tree(where).read(lines[1:i_motion], end=lines[i_motion][0])
    n_channels = sum(len(node.channels) for node in nodes)
    return nodes, *_motion(lines[i_motion:], n_channels, where)


class _Tree:
    """The hierarchy as far as it is read."""

    def __init__(self, where: Path) -> None:
        self._where = where
        self._nodes: list[Node] = []
        self._open: list[int] = []
        self._line = 1

    def read(self, lines: Sequence[Line], end: int) -> list[Node]:
        brace_due = False
        for self._line, statement in _statements(lines):
            keyword, *words = statement.split()
            if brace_due != (keyword == "{"):
                raise self._wrong("'{' expected" if brace_due else "unexpected '{'")
            brace_due = self._take(keyword.upper(), words)
        self._line = end
        if self._open:
            raise self._wrong(f"'{self._nodes[self._open[-1]].name}' is not closed by a '}}'")
        if not self._nodes:
            raise self._wrong("there is no ROOT")
        return self._nodes

    def _take(self, keyword: str, words: list[str]) -> bool:
        """Take one statement in; return whether a brace must follow."""
        if keyword in ("ROOT", "JOINT", "END"):
            self._begin(keyword, " ".join(words))
            return True
        if keyword == "}":
            self._close()
        elif keyword == "OFFSET":
            self._node().offset = self._offset(words)
        elif keyword == "CHANNELS":
            self._node().channels = self._channels(words)
        elif keyword != "{":
            raise self._wrong(f"'{keyword}' is not known")
        return False

    def _begin(self, keyword: str, name: str) -> None:
        if keyword == "ROOT" and self._nodes:
            raise self._wrong(f"a second ROOT, '{name}': split the file, one skeleton in each")
        if keyword != "ROOT" and (not self._open or self._node().is_end):
            raise self._wrong(f"{keyword} {name} stands in no joint")
        parent = self._open[-1] if self._open else -1
        self._open.append(len(self._nodes))
        self._nodes.append(Node(name, parent, is_end=keyword == "END"))

    def _close(self) -> None:
        node = self._node()
        if not node.offset:
            raise self._wrong(f"'{node.name}' has no OFFSET")
        self._open.pop()

    def _node(self) -> Node:
        if not self._open:
            raise self._wrong("this belongs into a joint, but none is open")
        return self._nodes[self._open[-1]]

    def _offset(self, words: list[str]) -> tuple[float, ...]:
        offset = _numbers(words)
        if offset is None or len(offset) != 3:
            raise self._wrong("an OFFSET is three finite numbers")
        return tuple(offset.tolist())

    def _channels(self, words: list[str]) -> tuple[str, ...]:
        known = {channel.lower(): channel for channel in CHANNELS}
        channels = [known.get(word.lower(), "") for word in words[1:]]
        if words[:1] != [str(len(channels))] or not all(channels):
            raise self._wrong(f"CHANNELS is a count and as many of {' '.join(CHANNELS)}")
        if len(set(channels)) < len(channels) or self._node().is_end:
            raise self._wrong("a channel stands twice, or in an End Site")
        return tuple(channels)

    def _wrong(self, what: str) -> BrokenFileError:
        return _error(self._where, self._line, what)


def _statements(lines: Sequence[Line]) -> Iterator[Line]:
    for line, text in lines:
        for statement in re.split(r"([{}])", text):
            if statement.strip():
                yield line, statement.strip()


def _motion(lines: Sequence[Line], n_channels: int, where: Path) -> tuple[float, FloatArray]:
    header = " ".join(text for _, text in lines[1:3])
    match = re.fullmatch(r"Frames\s*:\s*(\d+)\s+Frame\s+Time\s*:\s*(\S+)", header, re.IGNORECASE)
    frame_time_s = _numbers([match[2]]) if match else None
    if match is None or frame_time_s is None or frame_time_s[0] <= 0:
        raise _error(
            where, lines[0][0], "MOTION must be followed by 'Frames: N' and 'Frame Time: seconds'"
        )
    n_frames, rows = int(match[1]), lines[3:]
    motion = np.empty((len(rows), n_channels))
    for i_frame, (line, text) in enumerate(rows):
        values = _numbers(text.split())
        if values is None or len(values) != n_channels:
            found = "something else" if values is None else f"{len(values)} of them"
            raise _error(where, line, f"a frame is {n_channels} finite numbers, this is {found}")
        motion[i_frame] = values
    if len(rows) != n_frames:
        raise _error(
            where, lines[-1][0], f"{n_frames} frames are announced, but there are {len(rows)}"
        )
    return float(frame_time_s[0]), motion


def _numbers(words: Sequence[str]) -> FloatArray | None:
    """The words as finite numbers, None if one is not."""
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _error(where: Path, line: int, what: str) -> BrokenFileError:
    return BrokenFileError(f"line {line}: {what}", where=where)


def render(nodes: Sequence[Node], frame_time_s: float, motion: FloatArray) -> str:
    """Write the text that `parse` reads; numbers get six decimals."""
    lines = ["HIERARCHY", *_render_node(nodes, 0, ""), "MOTION"]
    lines += [f"Frames: {len(motion)}", f"Frame Time: {frame_time_s:.9g}"]
    lines += [_render_numbers(row) for row in motion]
    return "\n".join(lines) + "\n"


def _render_node(nodes: Sequence[Node], i_node: int, indent: str) -> Iterator[str]:
    node = nodes[i_node]
    kind = "ROOT" if node.parent < 0 else "JOINT"
    yield f"{indent}End Site" if node.is_end else f"{indent}{kind} {node.name}"
    yield f"{indent}{{"
    yield f"{indent}\tOFFSET {_render_numbers(node.offset)}"
    if node.channels:
        yield f"{indent}\tCHANNELS {len(node.channels)} {' '.join(node.channels)}"
    for i_child, child in enumerate(nodes):
        if child.parent == i_node:
            yield from _render_node(nodes, i_child, indent + "\t")
    yield f"{indent}}}"


def _render_numbers(numbers: Sequence[float] | FloatArray) -> str:
    return " ".join(f"{number:.6f}" for number in numbers)
