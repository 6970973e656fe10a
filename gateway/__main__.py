"""`python -m gateway`: the command `samverka`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
