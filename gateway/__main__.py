"""`python -m gateway`: the command `samverka`, of the interpreter at hand."""

from gateway.cli import main

main()
