"""HL7's own validator, as HAPI carries it: built with Maven from `official_validator/`, run offline over files.

https://hl7.org/fhir/R4/validation.html#jar
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).parent / "official_validator"
BUILT = Path(__file__).parents[1] / "var" / "official_validator"


def built() -> str:
    """The class path of the driver; what it needs comes from Maven Central at the first call."""
    listed = BUILT / "classpath"
    BUILT.mkdir(parents=True, exist_ok=True)
    if not listed.exists():
        asked = [
            "mvn",
            "-q",
            "-B",
            "-ntp",
            "-f",
            str(SOURCE),
            "dependency:build-classpath",
            f"-Dmdep.outputFile={listed}",
        ]
        subprocess.run(asked, check=True)
    path = f"{BUILT / 'classes'}:{listed.read_text()}"
    driver = SOURCE / "src/main/java/bench/Validate.java"
    subprocess.run(["javac", "-cp", path, "-d", str(BUILT / "classes"), str(driver)], check=True)
    return path


def run(files: Sequence[Path | str], *words: str) -> list[list[str]]:
    """What the driver writes, cell by cell: `words` are its command, and what stands behind the files.

    A file may have a tab and a folder of what is held for it behind it.
    """
    listed, out = BUILT / "files", BUILT / "out.tsv"
    path = built()
    listed.write_text("".join(f"{file}\n" for file in files))
    command, *more = words
    subprocess.run(["java", "-Xmx3g", "-cp", path, "bench.Validate", command, str(listed), *more, str(out)], check=True)
    return [line.split("\t") for line in out.read_text().splitlines()]


def refused(files: Sequence[Path]) -> dict[Path, list[str]]:
    """The errors of each file."""
    found: dict[Path, list[str]] = {file: [] for file in files}
    for file, severity, _, text in run(files, "validate"):
        if severity in ("ERROR", "FATAL"):
            found[Path(file)].append(text)
    return found


def timed(files: Sequence[Path], rounds: int) -> dict[Path, int]:
    """CPU microseconds of the validating thread for each file, warm."""
    return {Path(file): int(cost) for file, cost in run(files, "time", str(rounds))}
