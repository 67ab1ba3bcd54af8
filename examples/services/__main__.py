"""Start the shop, and keep it open until Ctrl-C or SIGTERM."""

import signal
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from shop import DEFAULT_BROKER, POOLS, SERVICES, Shop, ShopError


def main() -> int:
    arguments = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    try:
        with Shop(
            arguments.broker,
            backend=arguments.backend,
            services=arguments.only,
            pool=arguments.pool,
            concurrency=arguments.concurrency,
        ) as shop:
            for service, process in shop.processes.items():
                log = shop.log_path(service)
                print(f"{service:<10} {shop.node(service)}  pid {process.pid}  log {log}")
            print(f"open after {time.monotonic() - started:.1f} s; Ctrl-C ends it", flush=True)
            shop.wait()
    except KeyboardInterrupt:
        return 0
    except ShopError as error:
        print(error, file=sys.stderr)
    return 1


def parse() -> Namespace:
    parser = ArgumentParser(prog="python examples/services", description=__doc__)
    parser.add_argument(
        "--broker", metavar="URL", help=f"default: $CELERY_BROKER_URL, or {DEFAULT_BROKER}"
    )
    parser.add_argument(
        "--backend",
        metavar="URL",
        help="default: $CELERY_RESULT_BACKEND, or rpc:// (stock Celery's chords need another)",
    )
    parser.add_argument("--pool", choices=POOLS, default="prefork")
    parser.add_argument("--concurrency", metavar="N", type=int, default=2, help="of each worker")
    parser.add_argument(
        "--only",
        metavar="NAMES",
        type=names,
        default=SERVICES,
        help=f"comma-separated, of {', '.join(SERVICES)}",
    )
    return parser.parse_args()


def names(text: str) -> tuple[str, ...]:
    chosen = tuple(name.strip() for name in text.split(","))
    if unknown := set(chosen) - set(SERVICES):
        raise ArgumentTypeError(f"no such service: {', '.join(sorted(unknown))}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
