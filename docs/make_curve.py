"""Draw docs/images/any_to_many.png: similarity against character errors, of the tables of a page.

pip install matplotlib
python docs/make_curve.py docs/any_to_many.md docs/images/any_to_many.png

Takes each table with the columns `similarity` and `CER, %`; the first column names the points.
Neighbours that are alike up to a comma are one curve.
"""

import sys
from itertools import groupby
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display needed; a script may choose, a library must not

import matplotlib.pyplot as plt

X, Y = "CER, %", "similarity"


def rows_of(page: str) -> list[dict[str, str]]:
    """The rows of the tables that have both columns, by their heads."""
    rows = []
    lines = [line.strip() for line in page.splitlines()]
    for is_table, part in groupby(lines, lambda line: line.startswith("|")):
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in part]
        if is_table and {X, Y} <= set(cells[0]):
            rows += [dict(zip(["name", *cells[0][1:]], row, strict=True)) for row in cells[2:]]
    return rows


def main(page: Path, picture: Path) -> None:
    """Read the page, write the picture."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    curves = groupby(rows_of(page.read_text()), lambda row: row["name"].split(",")[0])
    for marker, (name, part) in zip("os^vDPX*<>hpds" * 3, curves, strict=False):
        points = [(float(row[X]), float(row[Y])) for row in part]
        axes.plot(*zip(*points, strict=True), marker=marker, label=name.strip("*"))
    axes.set(xlabel="character error rate, %: fewer words lost to the left", ylabel=f"{Y}: up")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
