"""`voiceconv check`: examine a corpus, print findings, write a mended copy."""

import json
from pathlib import Path

from voiceconv.check.doctor import examine
from voiceconv.check.fix import check_output, mend
from voiceconv.check.show import as_json as report_json
from voiceconv.check.show import print_report
from voiceconv.progress import progress_bar


def check(
    data: Path,
    fix: Path | None = None,
    experiment: str | None = None,
    jobs: int | None = None,
    as_json: bool = False,
) -> bool:
    """Examine DATA, print findings, write a mended copy to `fix`; whether there are findings."""
    if fix is not None:
        check_output(data, fix)
    with progress_bar("check") as progress:
        report = examine(data, experiment, jobs, progress)
    if as_json:
        print(json.dumps(report_json(report, data), indent=2))
    else:
        print_report(report)
    if fix is not None:
        with progress_bar("mend") as progress:
            done = mend(report, data, fix, jobs, progress)
        if not as_json:
            print(done)
    return bool(report.findings)
