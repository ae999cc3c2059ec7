"""`voiceconv check`: examine a corpus, print findings, write a mended copy."""

import json
from pathlib import Path

from voiceconv.check.doctor import examine
from voiceconv.check.fix import check_output, mend
from voiceconv.check.frames import FrameNeeds, examine_files, frame_needs
from voiceconv.check.show import as_json as report_json
from voiceconv.check.show import frames_as_json, print_frames, print_report
from voiceconv.errors import InputError
from voiceconv.progress import progress_bar
from voiceconv.workers import Executor


def check(
    data: Path,
    fix: Path | None = None,
    experiment: str | None = None,
    jobs: int | None = None,
    as_json: bool = False,
    executor: Executor | None = None,
) -> bool:
    """Examine DATA, print findings, write a mended copy to `fix`; whether there are findings.

    executor: other machines in place of `jobs` processes.
    """
    if needs := frame_needs(experiment):
        return _check_files(data, needs, fix, as_json)
    if fix is not None:
        check_output(data, fix)
    with progress_bar("check") as progress:
        report = examine(data, experiment, jobs, progress, executor)
    if as_json:
        print(json.dumps(report_json(report, data), indent=2))
    else:
        print_report(report)
    if fix is not None:
        with progress_bar("mend") as progress:
            done = mend(report, data, fix, jobs, progress, executor)
        if not as_json:
            print(done)
    return bool(report.findings)


def _check_files(data: Path, needs: FrameNeeds, fix: Path | None, as_json: bool) -> bool:
    """The same of a corpus whose files hold no sound."""
    if fix is not None:
        raise InputError(f"--fix {fix} mends sound, and these features have none; leave it out")
    with progress_bar("check") as progress:
        report = examine_files(data, needs, progress)
    if as_json:
        print(json.dumps(frames_as_json(report, data), indent=2))
    else:
        print_frames(report)
    return bool(report.findings)
