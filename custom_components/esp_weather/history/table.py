"""Reads text files with columns, as programs and spreadsheets write them.

Delimiter, encoding and decimal comma are detected. Each line is parsed on its own: a
missing quotation mark does not affect other lines.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
import csv
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from .clock import is_time
from .errors import HistoryError, HistoryReason

# Stands for the time of a line with more numbers than columns, before the line itself
TOO_MANY_CELLS: Final = "\n"

_DELIMITERS: Final = (",", ";", "\t", "|")
_TIME_NAMES: Final = (
    "date_time",
    "created_at",
    "last_changed",
    "timestamp",
    "datetime",
)
_SEPARATE_TIME: Final = ("date", "time")

# Longer lines than any reading needs are cut off.
_MAX_LINE_LENGTH: Final = 4096
_CHUNK: Final = 1 << 15  # characters
_SAMPLE: Final = 1 << 16  # bytes
_SAMPLE_LINES: Final = 50


@dataclass(frozen=True, slots=True)
class Table:
    """How a file is written, and what its columns are.

    `names` are in lower case, `titles` as written in the file. The time is in the
    columns `time`: in one column, or date and time in two.
    """

    path: Path
    encoding: str
    delimiter: str
    header_line: int
    titles: tuple[str, ...]
    names: tuple[str, ...]
    time: tuple[int, ...]

    @classmethod
    def recognize(cls, path: Path) -> Table:
        """Return the table in a file. Raises HistoryError or OSError."""
        encoding = _encoding(path)
        with path.open(encoding=encoding, errors="replace") as file:
            numbered = chain.from_iterable(
                enumerate(lines, first) for first, lines in _batches(file)
            )
            lines = [
                (number, line)
                for number, line in islice(numbered, _SAMPLE_LINES)
                if line.strip()
            ]
        if lines and lines[0][1].lower().startswith("sep="):
            del lines[0]
        if not lines:
            raise HistoryError(HistoryReason.UNKNOWN_FORMAT)
        (header_line, header), *rows = lines
        titles = _titles(header)
        names = tuple(title.lower() for title in titles)
        delimiter, time = _layout(header, titles, [line for _, line in rows])
        return cls(path, encoding, delimiter, header_line, titles, names, time)

    def open(self, file: BinaryIO) -> TextIOWrapper:
        """Open the file as text."""
        return TextIOWrapper(file, encoding=self.encoding, errors="replace")

    def columns(
        self, file: TextIO
    ) -> Iterator[tuple[Sequence[int], Sequence[str], Sequence[Sequence[str]]]]:
        """Return numbers, times and columns of the lines after the header, in batches.

        Empty lines are left out. Cells that a line lacks are empty.
        """
        for first, lines in _batches(file):
            numbers: Sequence[int] = range(first, first + len(lines))
            if first <= self.header_line or not all(lines):
                numbered = [
                    (number, line)
                    for number, line in zip(numbers, lines, strict=True)
                    if number > self.header_line and line and not line.isspace()
                ]
                numbers = [number for number, _ in numbered]
                lines = [line for _, line in numbered]
            if not lines:
                continue
            columns = self._columns(lines)
            times = columns[self.time[0]]
            if len(self.time) > 1:
                parts = (columns[column] for column in self.time)
                times = [" ".join(each).strip(" ") for each in zip(*parts, strict=True)]
            yield numbers, times, columns

    def _columns(self, lines: Sequence[str]) -> list[list[str]]:
        """Return the columns of lines."""
        width = len(self.names)
        # Splitting all lines at once takes a third of the time. What ends each line is
        # a cell, too, and in its place if no line has more or fewer cells.
        text = f"{self.delimiter}\n{self.delimiter}".join(lines)
        cells = text.split(self.delimiter)
        ends = cells[width :: width + 1]
        if (
            '"' not in text
            and ends.count("\n") == len(ends) == len(lines) - 1
            and len(cells) == len(lines) * (width + 1) - 1
        ):
            return [cells[column :: width + 1] for column in range(width)]
        rows = []
        for line in lines:
            row = _cells(line, self.delimiter) + width * [""]
            if any(cell.strip().isdecimal() for cell in row[width:]):
                # Decimal commas without quotation marks: which cells belong together?
                row[self.time[0]] = TOO_MANY_CELLS + line
            rows.append(row[:width])
        return list(map(list, zip(*rows, strict=True)))


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if sample.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    # One of the two bytes of most characters is zero.
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    for encoding, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > len(sample) / 4 > others:
            return encoding
    try:
        # The sample may end in the middle of a character.
        sample[:-4].decode()
    except UnicodeDecodeError as err:
        if err.start < len(sample) - 8:
            return "cp1252"
    return "utf-8-sig"


def _batches(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Return the lines in batches, each with the number of its first line."""
    number = 1
    rest = ""
    while chunk := file.read(_CHUNK):
        lines = (rest + chunk).split("\n")
        rest = lines.pop()[:_MAX_LINE_LENGTH]
        if lines:
            if max(map(len, lines)) > _MAX_LINE_LENGTH:
                lines = [line[:_MAX_LINE_LENGTH] for line in lines]
            yield number, lines
            number += len(lines)
    if rest:
        yield number, [rest]


def _cells(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter), [])


def _titles(header: str) -> tuple[str, ...]:
    """Return the names of the columns.

    The first line may have another delimiter than the others: a spreadsheet that has
    took it for one cell writes it so, followed by the delimiters of empty cells.
    """
    best = max(
        (_cells(header, delimiter) for delimiter in _DELIMITERS),
        key=lambda cells: len([cell for cell in cells if cell.strip(" \t;,|")]),
    )
    # Columns of the same name belong to different sensors.
    same: Counter[str] = Counter()
    titles = []
    for cell in best:
        title = cell.strip(" \t;,|\ufeff\0")
        same[title.lower()] += 1
        number = same[title.lower()]
        titles.append(f"{title} ({number})" if title and number > 1 else title)
    return tuple(titles)


def _layout(
    header: str, titles: tuple[str, ...], lines: list[str]
) -> tuple[str, tuple[int, ...]]:
    """Return the delimiter of the lines, and the columns that hold the time.

    Raises HistoryError if there is no time.
    """
    names = tuple(title.lower() for title in titles)
    candidates: list[tuple[int, ...]] = [
        (names.index(name),) for name in _TIME_NAMES if name in names
    ]
    if {*_SEPARATE_TIME} <= {*names}:
        candidates.append(tuple(map(names.index, _SEPARATE_TIME)))
    if not candidates:
        candidates = [(column,) for column in range(len(names))]

    def times(delimiter: str, columns: tuple[int, ...]) -> int:
        """Return how many lines have a time and something beside it."""
        return sum(
            len(cells) > 1 and is_time(time_in(cells, columns))
            for cells in (_cells(line, delimiter) for line in lines)
        )

    # In a tie, the delimiter of the header wins.
    own = max(_DELIMITERS, key=lambda delimiter: len(_cells(header, delimiter)))
    found = max(
        (
            (delimiter, columns)
            for columns in candidates
            for delimiter in (own, *_DELIMITERS)
        ),
        key=lambda layout: times(*layout),
    )
    named = {name for name in _TIME_NAMES if name in names}
    if (
        len(names) < 2
        or any(map(is_time, titles))  # not a header but the first reading
        or (not named and not times(*found))
    ):
        raise HistoryError(HistoryReason.UNKNOWN_FORMAT)
    return found


def time_in(cells: list[str], columns: tuple[int, ...]) -> str:
    """Return the time in the cells of a line, empty if the line is too short."""
    if len(cells) <= columns[-1]:
        return ""
    return " ".join([cells[column].strip() for column in columns])
