"""The command `samverka`, and `python -m gateway`: loads the program, and runs it."""

from __future__ import annotations

import gc


def main() -> None:
    gc.disable()  # Of what loading makes hardly anything is garbage: to look for it took a tenth of a start.
    from gateway.cli import main as run

    gc.enable()
    run()


if __name__ == "__main__":
    main()
