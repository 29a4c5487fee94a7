"""`python -m supernet` is the command line."""

from supernet.cli.app import main

main()
