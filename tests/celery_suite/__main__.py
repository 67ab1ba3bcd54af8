"""python -m tests.celery_suite: Celery's own integration tests, through a client of celery_rpc."""

import argparse
import sys
from pathlib import Path

from tests.celery_suite.suite import BROKERS, FAMILIES, FILES, checkout, run


def main() -> int:
    """Run what the command line asks for; 0 if nothing failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.celery_suite", description=__doc__)
    parser.add_argument("checkout", nargs="?", type=Path, help="Celery's; $CELERY_CHECKOUT if none")
    parser.add_argument("--broker", choices=BROKERS, action="append", help="all of them if none")
    parser.add_argument("--family", choices=FAMILIES, action="append", help="whose classes")
    parser.add_argument("--file", choices=FILES, action="append")
    parser.add_argument("--all", action="store_true", help="also what cannot pass (skips.py)")
    options, more = parser.parse_known_args()
    found = options.checkout or checkout()
    if found is None or not (found / "t/integration").is_dir():
        parser.error(f"no checkout of Celery at {found}: name one, or set CELERY_CHECKOUT")
    codes = [
        run(found, broker, family, file, more, skipping=not options.all)
        for broker in options.broker or BROKERS
        for family in options.family or FAMILIES
        for file in options.file or FILES
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
