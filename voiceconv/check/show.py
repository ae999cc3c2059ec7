"""Findings as a table for people and as JSON for programs."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voiceconv import __version__
from voiceconv.check.doctor import Report
from voiceconv.check.evidence import Case, Finding
from voiceconv.check.frames import WHY_NOT, FrameReport

_N_NAMED = 3  # number of utterances of a finding in the table


def as_json(report: Report, data: Path | str) -> dict[str, Any]:
    """The output of `--json`; values that are not finite (silence, no voice) are null."""
    measured = report.evidence.measured
    plain: dict[str, Any] = _finite(
        {
            "voiceconv": __version__,
            "data": str(data),
            "n_utterances": len(report.items),
            "seconds": sum(m.seconds for m in measured.values()),
            "findings": [_finding(finding) for finding in report.findings],
            "not_run": report.not_run,
            "speakers": {speaker.name: asdict(speaker) for speaker in report.speakers},
        }
    )
    return plain


def frames_as_json(report: FrameReport, data: Path | str) -> dict[str, Any]:
    """The same of a corpus without sound."""
    return {
        "voiceconv": __version__,
        "data": str(data),
        "n_utterances": len(report.items),
        "seconds": sum(report.n_frames.values()) / report.frames_per_second,
        "findings": [_finding(finding) for finding in report.findings],
        "not_run": report.not_run,
        "speakers": {
            domain: {"name": domain, "n_utterances": len(own), "n_frames": sum(own)}
            for domain, own in _by_domain(report).items()
        },
    }


def print_frames(report: FrameReport, console: Console | None = None) -> None:
    """Print the domains, the findings and what was not run."""
    console = console or Console()
    domains = Table("domain", "count", "frames", "minutes", box=SIMPLE)
    for domain, own in _by_domain(report).items():
        minutes = sum(own) / report.frames_per_second / 60
        domains.add_row(Text(domain), str(len(own)), str(sum(own)), f"{minutes:.1f}")
    console.print(domains)
    _print_findings(report.findings, console)
    not_run = f"not run ({WHY_NOT}): {', '.join(report.not_run)}"
    console.print(not_run, markup=False, highlight=False)
    found = f"{len(report.findings)} finding{'s'[: len(report.findings) != 1]}"
    of = f"{found if report.findings else 'nothing found'} in {len(report.items)} utterances"
    console.print(of, markup=False, highlight=False)


def _by_domain(report: FrameReport) -> dict[str, list[int]]:
    """Domain -> frames of each utterance that could be read."""
    domains: dict[str, list[int]] = {}
    for item, n_frames in report.n_frames.items():
        domains.setdefault(item.utterance.domain, []).append(n_frames)
    return dict(sorted(domains.items()))


def print_report(report: Report, console: Console | None = None) -> None:
    """Print the speakers, the findings and the rules that did not run."""
    console = console or Console()
    speakers = Table(
        "speaker", "count", "minutes", "Hz", "LUFS", "SNR dB", "F0", "search F0", box=SIMPLE
    )  # fmt: skip
    for s in report.speakers:
        rates = ", ".join(map(str, s.sample_rates))
        figures = [f"{s.minutes:.1f}", rates, f"{s.loudness:.1f}", f"{s.snr:.0f}"]
        f0 = (f"{s.f0_median:.0f}", f"{s.f0_floor:.0f} to {s.f0_ceil:.0f}")
        pitch = ("", "") if math.isnan(s.f0_median) else f0
        speakers.add_row(Text(s.name), str(s.n_utterances), *figures, *pitch)
    console.print(speakers)
    _print_findings(report.findings, console)
    for rule, reason in report.not_run.items():
        console.print(f"{rule}: not run ({reason})", markup=False, highlight=False)
    console.print(summary(report), markup=False, highlight=False)


def _print_findings(findings: Sequence[Finding], console: Console) -> None:
    if findings:
        table = Table(show_header=False, show_lines=True)
        for finding in findings:
            table.add_row(Text(_what(finding)), Text(_details(finding)))
        console.print(table)


def summary(report: Report) -> str:
    """One sentence."""
    minutes = sum(m.seconds for m in report.evidence.measured.values()) / 60
    of = f"{len(report.items)} utterances, {minutes:.0f} minutes"
    if not report.findings:
        return f"nothing found in {of}"
    n_mendable = sum(finding.is_mendable for finding in report.findings)
    found = f"{len(report.findings)} finding{'s'[: len(report.findings) != 1]} in {of}"
    return f"{found}; --fix OUT writes a copy with {n_mendable} of them mended"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        **{key: getattr(finding, key) for key in ("rule", "speaker", "figure", "unit", "limit")},
        "remedy": finding.remedy,
        "mendable": finding.is_mendable,
        "utterances": [
            {"name": c.item.name, "path": str(c.item.utterance.path), "figure": c.figure}
            | ({"note": c.note} if c.note else {})
            for c in finding.cases
        ],
    }


def _what(finding: Finding) -> str:
    n_cases = len(finding.cases)
    of = f"\n{n_cases} utterance{'s'[: n_cases != 1]}" if finding.is_of_utterances else ""
    return f"{finding.rule}\n{finding.speaker}{of}"


def _details(finding: Finding) -> str:
    """The worst value, the worst utterances by name, and the remedy."""
    named = [_named(finding, case) for case in finding.cases[:_N_NAMED]]
    more = len(finding.cases) - len(named) if finding.is_of_utterances else 0
    return "\n".join(
        [
            f"{finding.figure:.3g} {finding.unit} (limit {finding.limit:.3g})",
            *named,
            *([f"and {more} more"] if more else []),
            f"-> {finding.remedy}",
        ]
    )


def _named(finding: Finding, case: Case) -> str:
    figure = "" if finding.unit == "files" else f" {case.figure:.3g}"
    return f"  {case.item.name}{figure}{f' ({case.note})' if case.note else ''}"


def _finite(tree: Any) -> Any:
    """Replace values that JSON does not have by None."""
    if isinstance(tree, dict):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree
