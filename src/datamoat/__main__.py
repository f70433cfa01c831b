"""`python -m datamoat` is the command `datamoat`."""

from datamoat.cli.app import main

main()
