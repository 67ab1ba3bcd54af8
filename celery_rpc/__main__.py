"""``python -m celery_rpc``: the same as ``celery-rpc``."""

from celery_rpc.cli import main

if __name__ == "__main__":
    main(prog_name="celery-rpc")
