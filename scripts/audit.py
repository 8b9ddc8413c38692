"""Report known vulnerabilities of the pinned packages: `make audit`. It never fails, and says what it could not do."""

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
SECONDS = 120


def main() -> None:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip",
               "--format", "json", "--progress-spinner", "off"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        packages = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        print(f"audit: NOT RUN: no answer within {SECONDS} s")
        return
    except ValueError:
        lines = done.stderr.strip().splitlines() or ["pip-audit says nothing"]
        print(f"audit: NOT RUN: {lines[-1]}")
        return
    looked_up = [package for package in packages if "skip_reason" not in package]
    found = [(package, problem) for package in looked_up for problem in package["vulns"]]
    for package, problem in found:
        fixed = ", ".join(problem["fix_versions"]) or "none yet"
        print(f"audit: {package['name']} {package['version']}: {problem['id']}, fixed in: {fixed}")
    verdict = f"{len(found)} known vulnerabilities" if looked_up else "NOT RUN: the registry answers for none of them"
    print(f"audit: {len(looked_up)} of {len(packages)} pinned packages were looked up: {verdict}")


if __name__ == "__main__":
    main()
