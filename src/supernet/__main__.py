"""`python -m supernet` is the command line."""

from supernet.cli import main

main()
